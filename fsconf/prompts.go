package fsconf

import (
	"embed"
	"io/fs"
	"path"
	"strings"

	"livemon/internal/wire"
)

//go:embed prompts/*.wav
var promptFS embed.FS

// ownFolder is livemon's folder inside the configuration folder.
const ownFolder = "livemon"

// prompt is one sound file, with its path inside the configuration folder.
type prompt struct {
	Path    string
	Content []byte
}

// prompts lists the embedded sound files, sorted by name.
func prompts() ([]prompt, error) {
	names, err := fs.Glob(promptFS, "prompts/*.wav")
	if err != nil {
		return nil, err
	}
	out := make([]prompt, 0, len(names))
	for _, n := range names {
		b, err := promptFS.ReadFile(n)
		if err != nil {
			return nil, err
		}
		out = append(out, prompt{Path: path.Join(ownFolder, n), Content: b})
	}
	return out, nil
}

// PromptDir is where Install puts the prompts, on a switch whose configuration
// folder is confDir (its global variable conf_dir).
func PromptDir(confDir string) string { return path.Join(confDir, ownFolder, "prompts") }

// PromptFiles are the files which say "error" and then each digit, in the order
// in which they are to be played. What is not a digit is left out.
func PromptFiles(confDir, digits string) []string {
	const most = 32
	out := []string{promptFile(confDir, "error")}
	for _, d := range digits {
		if d >= '0' && d <= '9' && len(out) <= most {
			out = append(out, promptFile(confDir, string(d)))
		}
	}
	return out
}

// PlayString is PromptFiles as one argument of playback, uuid_broadcast or
// 'conference ROOM play'. It needs mod_dptools, which provides file_string.
func PlayString(confDir, digits string) string {
	return "file_string://" + strings.Join(PromptFiles(confDir, digits), "!")
}

// RefusalTone is played to a supervisor whose key was refused. It is made by
// mod_tone_stream and needs no file: two short, falling beeps.
func RefusalTone() string { return "tone_stream://%(160,60,330);%(240,0,262)" }

// HoldTone is played to a supervisor when one party of the call puts the other on
// hold, and ResumeTone when that ends. They need no file either.
func HoldTone() string { return "tone_stream://%(120,80,440);%(120,0,440)" }

// ResumeTone is described with HoldTone.
func ResumeTone() string { return "tone_stream://%(120,80,440);%(240,0,587)" }

// RoleTone is the file which tells a supervisor that he now has the role, and
// "" for a role that has no tone.
func RoleTone(confDir string, r wire.Role) string {
	switch r {
	case wire.Monitor, wire.Coach, wire.Barge, wire.TakeOver:
		return promptFile(confDir, string(r))
	}
	return ""
}

func promptFile(confDir, name string) string { return path.Join(PromptDir(confDir), name+".wav") }
