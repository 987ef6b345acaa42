package state

// Keys of accounts and what belongs to them, for tests to look at and to damage.
const (
	AccountsKey    = accountsKey
	SecretsKey     = secretsKey
	AccountExtsKey = accountExtsKey
	TeamsKey       = teamsKey
	TokensKey      = tokensKey
	LoginsKey      = loginsKey
	LoginTimesKey  = loginTimesKey
	RightsLogKey   = rightsLogKey
)

// AttemptKey is where attempts at an account are counted.
func AttemptKey(kind AttemptKind, by, name string) string { return attemptKey(kind, by, name) }
