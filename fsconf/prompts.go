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

// Prompt is one of the sound files, by its name.
type Prompt string

// What a supervisor who dials in is asked and told.
const (
	// PromptPIN asks for his PIN, then '#'.
	PromptPIN Prompt = "pin"
	// PromptPINWrong: it was the wrong one.
	PromptPINWrong Prompt = "pin-wrong"
	// PromptLocked: no more PINs are taken for a while.
	PromptLocked Prompt = "locked"
	// PromptExtension asks for his own extension, then '#', where it is not known
	// from the telephone.
	PromptExtension Prompt = "extension"
	// PromptWait: the agent is not on a call; star waits for the next one.
	PromptWait Prompt = "wait"
	// PromptConfirm is a short tone: he is about to listen.
	PromptConfirm Prompt = "confirm"
)

// What a supervisor is told about calls to come.
const (
	// PromptFollowOn: he goes on with the agent's next calls.
	PromptFollowOn Prompt = "follow-on"
	// PromptFollowOff: he leaves with the end of this call.
	PromptFollowOff Prompt = "follow-off"
)

// PromptFile is where a switch whose configuration folder is confDir has the
// prompt.
func PromptFile(confDir string, p Prompt) string { return promptFile(confDir, string(p)) }

// SayRole is the file which says the name of the role, or, when the supervisor is
// waiting, that he waits for the agent's next call. It is "" for a role that has no
// name.
func SayRole(confDir string, r wire.Role, waiting bool) string {
	switch {
	case waiting:
		return promptFile(confDir, "say-waiting")
	case RoleTone(confDir, r) == "":
		return ""
	}
	return promptFile(confDir, "say-"+string(r))
}

// NoticeTone is played to parties who must be told that somebody listens: the
// 1400 Hz of the recorder warning tone, for 0.4 s, at the level of speech. Where
// it has to be repeated, every 15 s is customary. It needs no file.
func NoticeTone() string { return "tone_stream://v=-13;%(400,0,1400)" }

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
