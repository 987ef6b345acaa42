package fsconf_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"livemon/fsconf"
)

const (
	confFile = "autoload_configs/conference.conf.xml"
	planFile = "dialplan/default/00_livemon.xml"
)

func TestInstallAndUninstall(t *testing.T) {
	dir := folder(t, stock())
	must(t, os.Chmod(filepath.Join(dir, confFile), 0o640))
	before := contents(t, dir)

	planned, err := fsconf.Install(dir, fsconf.Defaults(), true)
	must(t, err)
	same(t, contents(t, dir), before)

	done := install(t, dir, fsconf.Defaults())
	if len(done) != len(planned) {
		t.Errorf("%d changes planned, %d made", len(planned), len(done))
	}
	for i := range done {
		if done[i] != planned[i] {
			t.Errorf("planned %+v, did %+v", planned[i], done[i])
		}
	}
	if action(done, confFile) != "merge" || action(done, planFile) != "create" || action(done, "livemon/prompts/9.wav") != "create" {
		t.Errorf("changes: %+v", done)
	}
	installed := contents(t, dir)
	for name, want := range before {
		if name != confFile && installed[name] != want {
			t.Errorf("%s was changed", name)
		}
	}
	if !strings.HasPrefix(installed[confFile], "-rw-r-----") || !strings.HasPrefix(installed[planFile], "-rw-r-----") {
		t.Errorf("modes: %.10s of %s, %.10s of %s", installed[confFile], confFile, installed[planFile], planFile)
	}
	for _, line := range strings.SplitAfter(stock()[confFile], "\n") {
		if !strings.Contains(installed[confFile], line) {
			t.Errorf("the shop's line %q is gone", line)
		}
	}

	for _, c := range install(t, dir, fsconf.Defaults()) {
		if c.Action != "unchanged" || c.Diff != "" {
			t.Errorf("the second time: %s %s", c.Action, c.Path)
		}
	}
	same(t, contents(t, dir), installed)

	gone, err := fsconf.Uninstall(dir, true)
	must(t, err)
	same(t, contents(t, dir), installed)
	if back := uninstall(t, dir); len(back) != len(gone) || action(back, confFile) != "restore" {
		t.Errorf("uninstall: %+v", back)
	}
	same(t, contents(t, dir), before)
	if again := uninstall(t, dir); len(again) != 0 {
		t.Errorf("nothing is installed, and uninstall did %+v", again)
	}
	same(t, contents(t, dir), before)
}

func TestDiffShowsWhatIsAdded(t *testing.T) {
	changes, err := fsconf.Install(folder(t, stock()), fsconf.Defaults(), true)
	must(t, err)
	for _, c := range changes {
		if c.Path != confFile {
			continue
		}
		for _, want := range []string{
			"--- a/" + confFile + "\n+++ b/" + confFile + "\n@@ ", "\n+      <control action=\"event\" digits=\"=4#\" data=\"coach\"/>\n",
			"\n+    <profile name=\"livemon\">\n", "\n     <group name=\"default\">\n",
		} {
			// The fixture's latin-1 byte makes the file one that is not text.
			if strings.HasPrefix(c.Diff, "Binary") {
				t.Fatalf("no diff of a file with a latin-1 byte: %s", c.Diff)
			}
			if !strings.Contains(c.Diff, want) {
				t.Errorf("the diff lacks %q:\n%s", want, c.Diff)
			}
		}
		return
	}
	t.Fatalf("no change of %s", confFile)
}

func TestOtherKeysReplaceTheOldOnes(t *testing.T) {
	dir := folder(t, stock())
	before := contents(t, dir)
	install(t, dir, fsconf.Defaults())
	s := fsconf.Defaults()
	s.Keys.Coach, s.InterDigit, s.Rate, s.Outbound = []string{"*9", "77"}, 1500*time.Millisecond, 16000, "10.0.0.7:9000"
	changes := install(t, dir, s)
	if action(changes, confFile) != "merge" || action(changes, planFile) != "update" || action(changes, "livemon/prompts/1.wav") != "unchanged" {
		t.Errorf("changes: %+v", changes)
	}
	conf := read(t, dir, confFile)
	for _, want := range []string{`digits="=*9" data="coach"`, `digits="=77" data="coach"`, `value="1500"`, `name="rate" value="16000"`} {
		if strings.Count(conf, want) != 1 {
			t.Errorf("%q is not there once:\n%s", want, conf)
		}
	}
	if strings.Contains(conf, `"=4#"`) || strings.Count(conf, "livemon:begin") != 2 {
		t.Errorf("something of the old settings is left:\n%s", conf)
	}
	if plan := read(t, dir, planFile); !strings.Contains(plan, `data="10.0.0.7:9000 async"`) {
		t.Errorf("dialplan:\n%s", plan)
	}
	uninstall(t, dir)
	same(t, contents(t, dir), before)
}

// What a version before left to whoever listens at the dial-in address is taken
// away, and said.
func TestFullIsTakenAway(t *testing.T) {
	dir := folder(t, stock())
	install(t, dir, fsconf.Defaults())
	for _, c := range install(t, dir, fsconf.Defaults()) {
		if c.Note != "" {
			t.Errorf("there was no full, and %+v", c)
		}
	}
	replace(t, dir, planFile, " async", " async full")
	changes := install(t, dir, fsconf.Defaults())
	i := slices.IndexFunc(changes, func(c fsconf.Change) bool { return c.Path == planFile })
	if c := changes[i]; c.Action != "update" || !strings.Contains(c.Note, "'full'") || !strings.Contains(c.Diff, `async full"/>`) {
		t.Errorf("%+v", c)
	}
	if plan := read(t, dir, planFile); strings.Contains(plan, "full") {
		t.Errorf("dialplan:\n%s", plan)
	}
}

func TestDialInGoesAndMoves(t *testing.T) {
	files := stock()
	files["dialplan/staff.xml"] = "<include>\n<context name=\"staff\">\n<X-PRE-PROCESS cmd=\"include\" data=\"$${conf_dir}/staff.d/*.xml\"/>\n</context>\n</include>\n"
	dir := folder(t, files)
	before := contents(t, dir)
	install(t, dir, fsconf.Defaults())

	s := fsconf.Defaults()
	s.Context = "staff"
	changes := install(t, dir, s)
	if action(changes, planFile) != "remove" || action(changes, "staff.d/00_livemon.xml") != "create" {
		t.Errorf("changes: %+v", changes)
	}
	s.DialIn = ""
	if changes = install(t, dir, s); action(changes, "staff.d/00_livemon.xml") != "remove" {
		t.Errorf("changes: %+v", changes)
	}
	uninstall(t, dir)
	same(t, contents(t, dir), before)
}

func TestShopEditsAreKept(t *testing.T) {
	dir := folder(t, stock())
	install(t, dir, fsconf.Defaults())
	replace(t, dir, confFile, `<profile name="default">`, `<profile name="mine"/><profile name="default">`)
	replace(t, dir, planFile, " async", " async full")

	s := fsconf.Defaults()
	s.InterDigit = time.Second
	install(t, dir, s)
	if got := read(t, dir, confFile); !strings.Contains(got, `<profile name="mine"/>`) || !strings.Contains(got, `value="1000"`) {
		t.Errorf("after a second install:\n%s", got)
	}
	if got := read(t, dir, "livemon/backup/"+confFile); got != stock()[confFile] {
		t.Errorf("the first copy was overwritten:\n%s", got)
	}
	if got := read(t, dir, "livemon/backup/"+planFile); !strings.Contains(got, `async full"`) {
		t.Errorf("the shop's change of livemon's file is not kept:\n%s", got)
	}

	must(t, os.Remove(filepath.Join(dir, "livemon/prompts/1.wav")))
	must(t, os.Chmod(filepath.Join(dir, confFile), 0o600))
	if c := install(t, dir, s); action(c, "livemon/prompts/1.wav") != "create" || action(c, confFile) != "unchanged" {
		t.Errorf("a prompt was lost: %+v", c)
	}
	if got := contents(t, dir)["livemon/prompts/1.wav"]; !strings.HasPrefix(got, "-rw-------") {
		t.Errorf("a new file does not have the mode of the shop's: %.10s", got)
	}

	replace(t, dir, confFile, `<profile name="mine"/>`, `<profile name="mine"/><profile name="ours"/>`)
	if back := uninstall(t, dir); action(back, confFile) != "update" || action(back, planFile) != "remove" {
		t.Errorf("uninstall: %+v", back)
	}
	want := strings.Replace(stock()[confFile], `<profile name="default">`, `<profile name="mine"/><profile name="ours"/><profile name="default">`, 1)
	if got := read(t, dir, confFile); got != want {
		t.Errorf("after uninstall:\n%q\nwant\n%q", got, want)
	}
	if got := read(t, dir, "livemon/backup/"+confFile); got != stock()[confFile] {
		t.Errorf("the copy of the first state is gone:\n%s", got)
	}
}

func TestUninstallWithoutManifest(t *testing.T) {
	dir := folder(t, stock())
	before := contents(t, dir)
	install(t, dir, fsconf.Defaults())
	must(t, os.Remove(filepath.Join(dir, "livemon/manifest.json")))
	must(t, os.RemoveAll(filepath.Join(dir, "livemon/backup")))
	uninstall(t, dir)
	// Nothing tells any more that there is nothing left in the folder to keep.
	must(t, os.RemoveAll(filepath.Join(dir, "livemon")))
	same(t, contents(t, dir), before)
}

func TestPartsOfAConfiguration(t *testing.T) {
	files := stock()
	delete(files, "freeswitch.xml")
	delete(files, "vars.xml")
	dir := folder(t, files)
	before := contents(t, dir)
	if c := install(t, dir, fsconf.Defaults()); action(c, confFile) != "merge" || action(c, planFile) != "create" {
		t.Errorf("changes: %+v", c)
	}
	uninstall(t, dir)
	same(t, contents(t, dir), before)
}

func TestConferenceConfIsFoundWhereItIs(t *testing.T) {
	files := stock()
	files["autoload_configs/conference.conf.xml"] = "<!-- <configuration name=\"conference.conf\"/> moved -->\n<X-PRE-PROCESS cmd=\"include\" data=\"../shop/*.cfg\"/>\n"
	files["shop/b.cfg"] = "<configuration name=\"conference.conf\">\n<X-PRE-PROCESS cmd=\"include\" data=\"deep/profiles.inc\"/>\n</configuration>\n"
	files["shop/deep/profiles.inc"] = "<profiles>\n  <profile name=\"x\"/>\n</profiles>\n"
	files["shop/.hidden.cfg"] = "<configuration name=\"conference.conf\"/>\n"
	dir := folder(t, files)
	before := contents(t, dir)
	c := install(t, dir, fsconf.Defaults())
	if action(c, "shop/b.cfg") != "merge" || action(c, "shop/deep/profiles.inc") != "merge" || action(c, confFile) != "" {
		t.Errorf("changes: %+v", c)
	}
	uninstall(t, dir)
	same(t, contents(t, dir), before)
}

func TestRefusals(t *testing.T) {
	tests := map[string]struct {
		kind   error
		change func(files map[string]string)
	}{
		"no conference.conf": {fsconf.ErrNotConfiguration, func(f map[string]string) { delete(f, confFile) }},
		"commented out": {fsconf.ErrNotConfiguration, func(f map[string]string) {
			f[confFile] = `<!-- <configuration name="conference.conf"><profiles></profiles></configuration> -->`
		}},
		"not included": {fsconf.ErrNotConfiguration, func(f map[string]string) {
			f["freeswitch.xml"] = "<document>\n</document>\n"
		}},
		"a profile of that name": {fsconf.ErrForeign, func(f map[string]string) {
			f[confFile] = strings.Replace(f[confFile], `"default"`, `"LiveMon"`, 2)
		}},
		"a group of that name": {fsconf.ErrForeign, func(f map[string]string) {
			f[confFile] = strings.Replace(f[confFile], `<group name="default">`, `<group name="livemon">`, 1)
		}},
		"a file of that name": {fsconf.ErrForeign, func(f map[string]string) { f[planFile] = "<include/>\n" }},
		"no such context": {fsconf.ErrNoContext, func(f map[string]string) {
			f["dialplan/default.xml"] = "<context name=\"public\">\n</context>\n"
		}},
		"a context without a folder": {fsconf.ErrNoContext, func(f map[string]string) {
			f["dialplan/default.xml"] = "<context name=\"default\">\n</context>\n<X-PRE-PROCESS cmd=\"include\" data=\"default/*.xml\"/>\n"
		}},
		"a folder inside an extension": {fsconf.ErrNoContext, func(f map[string]string) {
			f["dialplan/default.xml"] = "<context name=\"default\">\n<extension name=\"x\">\n<X-PRE-PROCESS cmd=\"include\" data=\"default/*.inc\"/>\n</extension>\n</context>\n"
		}},
		"not XML": {fsconf.ErrMalformed, func(f map[string]string) { f[confFile] = "<configuration name=\"conference.conf\">\n<profiles>\n" }},
		"half a mark": {fsconf.ErrMalformed, func(f map[string]string) {
			f[confFile] = strings.Replace(f[confFile], "<profiles>", "<profiles><!-- livemon:end -->", 1)
		}},
		"changed marks": {fsconf.ErrMalformed, func(f map[string]string) {
			f[confFile] = strings.Replace(f[confFile], "<profiles>", "<profiles><!-- livemon:begin profile --><!-- livemon:end -->", 1)
		}},
		"a line that the switch drops": {fsconf.ErrMalformed, func(f map[string]string) {
			f[confFile] = strings.Replace(f[confFile], "  <profiles>\n", "  <profiles><!-- <include> -->\n", 1)
		}},
		"an endless include": {fsconf.ErrMalformed, func(f map[string]string) {
			f["autoload_configs/a.xml"] = "<X-PRE-PROCESS cmd=\"include\" data=\"a.xml\"/>\n<X-PRE-PROCESS cmd=\"include\" data=\"a.xml\"/>\n"
		}},
		"a manifest that is none": {fsconf.ErrMalformed, func(f map[string]string) { f["livemon/manifest.json"] = "{" }},
		"a manifest that names other files": {fsconf.ErrUnsafe, func(f map[string]string) {
			f["livemon/manifest.json"] = `{"version":1,"created":[{"path":"vars.xml"}]}`
		}},
		"a manifest that leads out": {fsconf.ErrUnsafe, func(f map[string]string) {
			f["livemon/manifest.json"] = `{"version":1,"created":[{"path":"livemon/../../x"}]}`
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			files := stock()
			test.change(files)
			dir := folder(t, files)
			before := contents(t, dir)
			_, err := fsconf.Install(dir, fsconf.Defaults(), false)
			var e *fsconf.Error
			if !errors.Is(err, test.kind) || !errors.As(err, &e) {
				t.Errorf("Install: %v, want %v", err, test.kind)
			}
			same(t, contents(t, dir), before)
		})
	}
}

func TestLinks(t *testing.T) {
	t.Run("the folder is one", func(t *testing.T) {
		dir := folder(t, stock())
		link := filepath.Join(t.TempDir(), "conf")
		must(t, os.Symlink(dir, link))
		before := contents(t, dir)
		install(t, link, fsconf.Defaults())
		uninstall(t, link)
		same(t, contents(t, dir), before)
	})
	t.Run("inside", func(t *testing.T) {
		files := stock()
		files["real/conference.xml"] = files[confFile]
		delete(files, confFile)
		dir := folder(t, files)
		must(t, os.Symlink("../real/conference.xml", filepath.Join(dir, confFile)))
		before := contents(t, dir)
		install(t, dir, fsconf.Defaults())
		if !strings.Contains(read(t, dir, "real/conference.xml"), "livemon:begin") {
			t.Error("the file behind the link was not changed")
		}
		if info, err := os.Lstat(filepath.Join(dir, confFile)); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("the link was replaced: %v %v", info, err)
		}
		uninstall(t, dir)
		same(t, contents(t, dir), before)
	})
	t.Run("outside", func(t *testing.T) {
		files := stock()
		outside := folder(t, map[string]string{"conference.conf.xml": files[confFile]})
		delete(files, confFile)
		dir := folder(t, files)
		must(t, os.Symlink(filepath.Join(outside, "conference.conf.xml"), filepath.Join(dir, confFile)))
		if _, err := fsconf.Install(dir, fsconf.Defaults(), false); !errors.Is(err, fsconf.ErrNotConfiguration) || !strings.Contains(err.Error(), confFile) {
			t.Errorf("Install: %v", err)
		}
		if got := read(t, outside, "conference.conf.xml"); got != stock()[confFile] {
			t.Errorf("the file outside was changed:\n%s", got)
		}
	})
	t.Run("the own folder leads out", func(t *testing.T) {
		dir, outside := folder(t, stock()), t.TempDir()
		must(t, os.Symlink(outside, filepath.Join(dir, "livemon")))
		if _, err := fsconf.Install(dir, fsconf.Defaults(), false); err == nil {
			t.Error("Install followed a link out of the folder")
		}
		if got := contents(t, outside); len(got) != 0 {
			t.Errorf("written outside: %v", got)
		}
		if got := read(t, dir, confFile); got != stock()[confFile] {
			t.Errorf("half installed:\n%s", got)
		}
	})
}

func TestTwoAtOnce(t *testing.T) {
	dir := folder(t, stock())
	d, err := os.Open(dir)
	must(t, err)
	defer d.Close()
	must(t, syscall.Flock(int(d.Fd()), syscall.LOCK_EX))
	if _, err := fsconf.Install(dir, fsconf.Defaults(), false); !errors.Is(err, fsconf.ErrBusy) {
		t.Errorf("Install: %v", err)
	}
	if _, err := fsconf.Install(dir, fsconf.Defaults(), true); err != nil {
		t.Errorf("a dry run only looks: %v", err)
	}
}

// TestCutShort stops Install after any number of its steps, by a folder in the
// place of a file, and looks whether it can be completed and undone.
func TestCutShort(t *testing.T) {
	all, err := fsconf.Install(folder(t, stock()), fsconf.Defaults(), true)
	must(t, err)
	for _, c := range all {
		dir := folder(t, stock())
		before := contents(t, dir)
		tmp := filepath.Join(dir, filepath.Dir(c.Path), "."+filepath.Base(c.Path)+".livemon-new")
		must(t, os.MkdirAll(filepath.Join(tmp, "in the way"), 0o755))
		if _, err := fsconf.Install(dir, fsconf.Defaults(), false); err == nil {
			t.Fatalf("%s was written in spite of the obstacle", c.Path)
		}
		must(t, os.RemoveAll(tmp))
		half := contents(t, dir)
		if c.Path != confFile && strings.Contains(half[confFile], "livemon:begin") {
			t.Errorf("%s failed, and the switch's own file was changed before it", c.Path)
		}
		install(t, dir, fsconf.Defaults())
		if got := action(install(t, dir, fsconf.Defaults()), confFile); got != "unchanged" {
			t.Errorf("%s failed, and a second install left it %q", c.Path, got)
		}
		uninstall(t, dir)
		for name := range before {
			if got := contents(t, dir)[name]; got != before[name] {
				t.Errorf("%s failed; after the way back %s is %q", c.Path, name, got)
			}
		}
	}
}

func TestFilesAreWhatInstallWrites(t *testing.T) {
	dir := folder(t, stock())
	install(t, dir, fsconf.Defaults())
	files, err := fsconf.Files(fsconf.Defaults())
	must(t, err)
	for _, f := range files {
		got := read(t, dir, f.Path)
		if f.Merge && !strings.Contains(got, string(f.Content)) || !f.Merge && got != string(f.Content) {
			t.Errorf("%s: Files says\n%s\nInstall wrote\n%s", f.Path, f.Content, got)
		}
	}
}
