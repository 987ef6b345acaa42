package fsconf

import (
	"context"
	"errors"

	"livemon/internal/wire"
)

type Change struct{ Path, Action, Diff string }
type File struct {
	Path    string
	Mode    uint32
	Content []byte
	Merge   bool
}
type Switch interface {
	API(ctx context.Context, line string) (string, error)
}

const fileMark = "livemon"

func Files(s Settings) ([]File, error) { return nil, errors.ErrUnsupported }
func Install(dir string, s Settings, dryRun bool) ([]Change, error) {
	return nil, errors.ErrUnsupported
}
func Uninstall(dir string, dryRun bool) ([]Change, error) { return nil, errors.ErrUnsupported }
func Check(ctx context.Context, sw Switch, s Settings) ([]wire.Finding, error) {
	return nil, errors.ErrUnsupported
}
