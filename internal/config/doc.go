// Package config is what 'livemon serve' can be told: defaults, the YAML file,
// and the rules that a configuration must satisfy; and the file with the API
// token, which serve writes and the other commands read.
//
// It opens no connection and knows neither flags nor the environment: the
// command line lays those over what Load returns, in the order flag, environment,
// file, default, and calls Validate last.
//
// It guarantees that a configuration which Validate accepts has addresses that
// can be parsed, dial rules that expand safely and keys that can be told apart;
// that nothing unknown in a file is passed over; and that neither an error nor
// String holds a password.
package config
