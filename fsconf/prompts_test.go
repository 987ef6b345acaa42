package fsconf_test

import (
	"encoding/binary"
	"math"
	"path"
	"slices"
	"strings"
	"testing"

	"livemon/fsconf"
	"livemon/internal/fault"
	"livemon/internal/wire"
)

const confDir = "/etc/freeswitch"

// shipped are the prompts that Files lists, by their path on the switch.
func shipped(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := fsconf.Files(fsconf.Defaults())
	must(t, err)
	out := map[string][]byte{}
	for _, f := range files {
		if strings.HasSuffix(f.Path, ".wav") {
			out[path.Join(confDir, f.Path)] = f.Content
		}
	}
	return out
}

func TestPromptsAreTelephoneWAV(t *testing.T) {
	total := 0
	for name, b := range shipped(t) {
		total += len(b)
		if len(b) < 44 || string(b[:4]) != "RIFF" || string(b[8:16]) != "WAVEfmt " || string(b[36:40]) != "data" {
			t.Errorf("%s has no plain WAV header", name)
			continue
		}
		u16, u32 := binary.LittleEndian.Uint16, binary.LittleEndian.Uint32
		if u16(b[20:]) != 1 || u16(b[22:]) != 1 || u32(b[24:]) != 8000 || u16(b[34:]) != 16 {
			t.Errorf("%s is not 8 kHz, 16 bit, mono PCM", name)
		}
		samples := b[44:]
		if int(u32(b[40:])) != len(samples) {
			t.Errorf("%s: the header says %d bytes of sound, there are %d", name, u32(b[40:]), len(samples))
		}
		if n := len(samples) / 2; n < 800 || n > 24000 {
			t.Errorf("%s lasts %d ms, want 100 to 3000", name, n/8)
		}
		var sum, peak float64
		for i := 0; i+1 < len(samples); i += 2 {
			v := float64(int16(u16(samples[i:])))
			sum += v * v
			peak = max(peak, math.Abs(v))
		}
		if rms := math.Sqrt(sum / float64(len(samples)/2)); rms < 1000 || peak > 30000 {
			t.Errorf("%s: level %.0f, peak %.0f: silent, or clipped", name, rms, peak)
		}
	}
	if total == 0 || total > 500_000 {
		t.Errorf("the prompts have %d bytes together, want at most 500000", total)
	}
}

func TestEveryCodeCanBeSpoken(t *testing.T) {
	have := shipped(t)
	for _, c := range fault.All() {
		files := fsconf.PromptFiles(confDir, c.Digits())
		if len(files) != 5 || path.Base(files[0]) != "error.wav" || path.Base(files[4]) != c.Digits()[3:]+".wav" {
			t.Errorf("%d: %v", c, files)
		}
		for _, f := range files {
			if have[f] == nil {
				t.Errorf("%d: %s is not shipped", c, f)
			}
		}
		if got, want := fsconf.PlayString(confDir, c.Digits()), "file_string://"+strings.Join(files, "!"); got != want {
			t.Errorf("PlayString: %s, want %s", got, want)
		}
	}
	for _, r := range []wire.Role{wire.Monitor, wire.Coach, wire.Barge, wire.TakeOver} {
		if f := fsconf.RoleTone(confDir, r); have[f] == nil {
			t.Errorf("the tone of %s, %q, is not shipped", r, f)
		}
	}
	said := map[string]bool{}
	for _, r := range []wire.Role{wire.Monitor, wire.Coach, wire.Barge, wire.TakeOver} {
		f := fsconf.SayRole(confDir, r, false)
		if have[f] == nil || said[f] || f == fsconf.RoleTone(confDir, r) {
			t.Errorf("the name of %s, %q, is not shipped, or is another's", r, f)
		}
		said[f] = true
	}
	for _, r := range []wire.Role{wire.Joining, wire.Monitor, ""} {
		if f := fsconf.SayRole(confDir, r, true); have[f] == nil || said[f] {
			t.Errorf("waiting in %q: %q", r, f)
		}
	}
	for _, r := range []wire.Role{wire.Joining, "", "../x"} {
		if f := fsconf.SayRole(confDir, r, false); f != "" {
			t.Errorf("%q has the name %q", r, f)
		}
	}
	for _, p := range []fsconf.Prompt{
		fsconf.PromptPIN, fsconf.PromptPINWrong, fsconf.PromptLocked, fsconf.PromptExtension, fsconf.PromptWait, fsconf.PromptConfirm,
		fsconf.PromptFollowOn, fsconf.PromptFollowOff,
	} {
		if f := fsconf.PromptFile(confDir, p); have[f] == nil {
			t.Errorf("%s is not shipped", f)
		}
	}
	for _, tone := range []string{fsconf.NoticeTone(), fsconf.RefusalTone(), fsconf.HoldTone(), fsconf.ResumeTone()} {
		if !strings.HasPrefix(tone, "tone_stream://") || strings.ContainsAny(tone, " \n") {
			t.Errorf("%q is not one argument of a command", tone)
		}
	}
	if f := fsconf.RoleTone(confDir, wire.Joining); f != "" {
		t.Errorf("joining has the tone %q", f)
	}
	if have[path.Join(fsconf.PromptDir(confDir), "refused.wav")] == nil || !strings.HasPrefix(fsconf.RefusalTone(), "tone_stream://") {
		t.Error("there is no refusal tone")
	}
}

func TestOnlyDigitsAreSpoken(t *testing.T) {
	got := fsconf.PromptFiles(confDir, "../9\n!a١0")
	want := fsconf.PromptFiles(confDir, "90")
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if n := len(fsconf.PromptFiles(confDir, strings.Repeat("1", 5000))); n > 100 {
		t.Errorf("%d files for one code", n)
	}
}
