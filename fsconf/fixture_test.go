package fsconf_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"livemon/fsconf"
)

// stock is a folder laid out like a stock installation, with the traps that
// one has: comments that look like elements, a chatplan whose context has the
// name of the dialplan's, latin-1 bytes, unexpanded variables.
func stock() map[string]string {
	return map[string]string{
		"freeswitch.xml": `<?xml version="1.0"?>
<document type="freeswitch/xml">
  <!--#comment
      #include ==> <profiles>
  -->
  <X-PRE-PROCESS cmd="include" data="vars.xml"/>
  <section name="configuration" description="Various Configuration">
    <X-PRE-PROCESS cmd="include" data="autoload_configs/*.xml"/>
  </section>
  <section name="chatplan">
    <X-PRE-PROCESS cmd="include" data="chatplan/*.xml"/>
  </section>
  <section name="dialplan" description="Regex/XML Dialplan">
    <X-PRE-PROCESS cmd="include" data="dialplan/*.xml"/>
  </section>
</document>
`,
		"vars.xml": `<include>
  <X-PRE-PROCESS cmd="set" data="hold_music=local_stream://moh"/>
</include>
`,
		"autoload_configs/acl.conf.xml": `<configuration name="acl.conf"><network-lists/></configuration>
`,
		"autoload_configs/conference.conf.xml": `<!-- a <profiles> that is none -->
<configuration name="conference.conf" description="Audio Conference">
  <advertise>
    <room name="3001@$${domain}" status="FreeSWITCH"/>
  </advertise>
  <!--
  <caller-controls>
    <group name="livemon"/>
  </caller-controls> -->
  <caller-controls>
    <group name="default">
      <control action="mute" digits="0"/>
    </group>
  </caller-controls>
  <profiles>
    <profile name="default">
      <param name="moh-sound" value="$${hold_music}"/> <!-- f` + "\xfc" + `r alle -->
      <param name="caller-id-name" value='a "quoted" > name'/>
    </profile>
  </profiles>
</configuration>
`,
		"chatplan/default.xml": `<include>
  <context name="default">
    <X-PRE-PROCESS cmd="include" data="default/*.xml"/>
  </context>
</include>
`,
		"dialplan/default.xml": `<include>
  <context name="default">
    <extension name="echo">
      <condition field="destination_number" expression="^9196$">
        <action application="echo"/>
      </condition>
    </extension>
    <X-PRE-PROCESS cmd="include" data="default/*.xml"/>
  </context>
</include>
`,
		"dialplan/default/99_other.xml": `<include>
  <extension name="other"/>
</include>
`,
	}
}

// folder writes files into a new folder and returns its path.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		p := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(p), 0o755))
		must(t, os.WriteFile(p, []byte(content), 0o644))
	}
	return dir
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// contents reads a folder back: a file's bytes and mode, and folders, by name.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, p)
		out[name] = info.Mode().String()
		if info.Mode().IsRegular() {
			b, err := os.ReadFile(p)
			out[name] += "\n" + string(b)
			return err
		}
		return nil
	}))
	return out
}

// same fails the test where two folders differ.
func same(t testing.TB, got, want map[string]string) {
	t.Helper()
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s is\n%q\nwant\n%q", name, got[name], want[name])
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s should not be there", name)
		}
	}
}

func install(t testing.TB, dir string, s fsconf.Settings) []fsconf.Change {
	t.Helper()
	changes, err := fsconf.Install(dir, s, false)
	must(t, err)
	return changes
}

func uninstall(t testing.TB, dir string) []fsconf.Change {
	t.Helper()
	changes, err := fsconf.Uninstall(dir, false)
	must(t, err)
	return changes
}

func read(t testing.TB, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	must(t, err)
	return string(b)
}

// replace changes a file as a shop would.
func replace(t testing.TB, dir, name, from, to string) {
	t.Helper()
	old := read(t, dir, name)
	if !strings.Contains(old, from) {
		t.Fatalf("%s does not hold %q", name, from)
	}
	must(t, os.WriteFile(filepath.Join(dir, name), []byte(strings.Replace(old, from, to, 1)), 0o644))
}

// action returns what was done to a file.
func action(changes []fsconf.Change, name string) string {
	for _, c := range changes {
		if c.Path == name {
			return c.Action
		}
	}
	return ""
}
