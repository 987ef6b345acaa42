// This file is empty: a package with an assembly file may declare functions
// without a body, as eslgo.go does.
