package fsconf

import (
	"errors"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"testing/fstest"
)

// disk is a configuration folder in memory. Its paths are those of Install and
// Uninstall but for the writing.
type disk map[string]string

func (d disk) tree() *tree {
	m := fstest.MapFS{}
	for name, content := range d {
		m[name] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
	}
	return &tree{fs: m, abs: "/conf"}
}

func (d disk) run(plan func(*planner) error) error {
	p, err := newPlanner(d.tree())
	if err != nil {
		return err
	}
	if err := plan(p); err != nil {
		return err
	}
	for _, s := range p.steps {
		if s.content == nil {
			delete(d, s.path)
		} else {
			d[s.path] = string(s.content)
		}
	}
	return nil
}

func (d disk) install(s Settings) error {
	return d.run(func(p *planner) error { return p.install(s) })
}

func (d disk) uninstall() error { return d.run((*planner).uninstall) }

// conference merges into one conference.conf and returns the folder.
func conference(content string) disk { return disk{confPath: content} }

func bare() Settings {
	s := Defaults()
	s.DialIn = ""
	return s
}

func TestMergeLeavesEveryOtherByte(t *testing.T) {
	tests := map[string]string{
		"plain":                     "<configuration name=\"conference.conf\">\n  <caller-controls>\n  </caller-controls>\n  <profiles>\n  </profiles>\n</configuration>\n",
		"one line":                  `<configuration name="conference.conf"><caller-controls></caller-controls><profiles><profile name="a"/></profiles></configuration>`,
		"carriage returns":          "<configuration name=\"conference.conf\">\r\n<caller-controls>\r\n</caller-controls>\r\n<profiles>\r\n</profiles>\r\n</configuration>\r\n",
		"only carriage returns":     "<configuration name=\"conference.conf\">\r<caller-controls>\r</caller-controls>\r<profiles>\r</profiles>\r</configuration>\r",
		"byte order mark":           "\xef\xbb\xbf<configuration name=\"conference.conf\"><profiles>\n</profiles></configuration>\n",
		"profiles close themselves": "<configuration name='conference.conf' description=\"x>y\">\n  <profiles/>\n  <caller-controls />\n</configuration>\n",
		"with attributes":           "<configuration name=\"conference.conf\">\n<profiles a='/>' b=\"&lt;\"/><caller-controls\n a\n />\n</configuration>\n",
		"neither":                   "<configuration name=\"conference.conf\">\n</configuration>\n",
		"only profiles":             "<configuration name=\"conference.conf\">\n<profiles>\n</profiles>\n</configuration>",
		"only controls":             "<configuration name=\"conference.conf\">\n<caller-controls/>\n</configuration>",
		"configuration is empty":    "<configuration name=\"conference.conf\" description=\"x\"/>\n",
		"and on one line":           `<configuration name="CONFERENCE.conf"/>`,
		"with an entity":            "<configuration name=\"conference&#46;conf\">\n</configuration>\n",
		"look-alikes": "<!-- <configuration name=\"conference.conf\"><profiles> -->\n<![CDATA[<configuration name=\"conference.conf\">]]>\n" +
			"<!DOCTYPE x [<!ENTITY y \"<profiles>\">]>\n<configuration name=\"other.conf\"><profiles/></configuration>\n" +
			"<configuration name=\"conference.conf\">\n<room x=\"<profiles>\">\n<profiles>\n</profiles>\n</room>\n<!-- <profiles> --><profiles>\n</profiles>\n</configuration>\n",
		"two of them": "<configuration name=\"conference.conf\">\n<profiles/>\n</configuration>\n<configuration name=\"conference.conf\">\n<profiles/>\n</configuration>\n",
		"other bytes": "<configuration name=\"conference.conf\">\n<!-- f\xfcr \x01 --><profiles>\n</profiles>\n</configuration>\n",
		"directives":  "<configuration name=\"conference.conf\">\n<profiles>\n<X-PRE-PROCESS cmd=\"include\" data=\"none/*.xml\"/>\n</profiles>\n</configuration>\n",
		"<include>":   "<include>\n<configuration name=\"conference.conf\">\n<profiles>\n</profiles>\n</configuration>\n</include>\n",
	}
	for name, before := range tests {
		t.Run(name, func(t *testing.T) {
			d := conference(before)
			if err := d.install(bare()); err != nil {
				t.Fatal(err)
			}
			once := d[confPath]
			if strings.Count(once, markBegin) == 0 || strings.Count(once, markBegin) != strings.Count(once, markEnd) {
				t.Errorf("marks are not in pairs:\n%s", once)
			}
			if strings.Contains(before, "\r\n") && strings.Count(once, "\n") != strings.Count(once, "\r\n") {
				t.Errorf("line ends are mixed:\n%q", once)
			}
			if err := d.install(bare()); err != nil || d[confPath] != once {
				t.Errorf("a second install: %v\n%s\nafter the first:\n%s", err, d[confPath], once)
			}
			back, err := unmerge([]byte(once))
			if err != nil || string(back) != before {
				t.Errorf("taken out by its marks: %v\n%q\nwant\n%q", err, back, before)
			}
			if err := d.uninstall(); err != nil || d[confPath] != before || len(d) != 1 {
				t.Errorf("after uninstall: %v\n%q\nwant\n%q", err, d, before)
			}
		})
	}
}

func TestOpenedElementStaysOpenWhenItIsUsed(t *testing.T) {
	d := conference("<configuration name=\"conference.conf\">\n<profiles/>\n</configuration>\n")
	if err := d.install(bare()); err != nil {
		t.Fatal(err)
	}
	d[confPath] = strings.Replace(d[confPath], "  </profiles>", "<profile name=\"mine\"/></profiles>", 1)
	if err := d.uninstall(); err != nil {
		t.Fatal(err)
	}
	if got, want := d[confPath], "<configuration name=\"conference.conf\">\n<profiles>\n<profile name=\"mine\"/></profiles>\n</configuration>\n"; got != want {
		t.Errorf("%q\nwant\n%q", got, want)
	}
}

func TestDialplanPlaceIsTheContextsOwnFolder(t *testing.T) {
	conf := "<configuration name=\"conference.conf\">\n</configuration>\n"
	for name, test := range map[string]struct{ plan, want string }{
		"stock":        {"<context name=\"default\">\n<X-PRE-PROCESS cmd=\"include\" data=\"default/*.xml\"/>\n</context>\n", "dialplan/default/00_livemon.xml"},
		"old style":    {"<context name=\"default\">\n<!--#include \"default/*.xml\"-->\n</context>\n", "dialplan/default/00_livemon.xml"},
		"absolute":     {"<context name=\"default\">\n<X-PRE-PROCESS cmd=\"include\" data=\"/conf/d/*.xml\"/>\n</context>\n", "d/00_livemon.xml"},
		"by variable":  {"<X-PRE-PROCESS cmd=\"set\" data=\"where= d\"/>\n<context name=\"default\">\n<X-PRE-PROCESS cmd=\"include\" data=\"$${where}/*.xml\"/>\n</context>\n", "dialplan/d/00_livemon.xml"},
		"the second":   {"<context name=\"default\">\n<X-PRE-PROCESS cmd=\"include\" data=\"a/b.xml\"/>\n<X-PRE-PROCESS cmd=\"include\" data=\"d/*.xml\"/>\n</context>\n", "dialplan/d/00_livemon.xml"},
		"not outside":  {"<context name=\"default\">\n<X-PRE-PROCESS cmd=\"include\" data=\"../../x/*.xml\"/>\n<X-PRE-PROCESS cmd=\"include\" data=\"/etc/x/*.xml\"/>\n</context>\n", ""},
		"not a folder": {"<context name=\"default\">\n<X-PRE-PROCESS cmd=\"include\" data=\"*/*.xml\"/>\n</context>\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := disk{confPath: conf, "dialplan/default.xml": test.plan}
			before := maps.Clone(d)
			err := d.install(Defaults())
			if test.want == "" {
				if !errors.Is(err, ErrNoContext) || !maps.Equal(d, before) {
					t.Errorf("%v, %q", err, d)
				}
				return
			}
			if err != nil || d[test.want] != dialplanXML(Defaults()) {
				t.Fatalf("%v: %q", err, d[test.want])
			}
			if err := d.uninstall(); err != nil || !maps.Equal(d, before) {
				t.Errorf("after uninstall: %v, %q", err, d)
			}
		})
	}
}

func TestDiffCanBeApplied(t *testing.T) {
	texts := []string{"", "a\n", "a", "a\nb\nc\n", "x\na\nb\nc\ny\n", "b\nc\nd\ne\n", strings.Repeat("l\n", 40) + "m\n" + strings.Repeat("n\n", 40)}
	for _, a := range texts {
		for _, b := range texts {
			var left, right []string
			for _, c := range compare(lines([]byte(a)), lines([]byte(b))) {
				if c.op != '+' {
					left = append(left, c.line)
				}
				if c.op != '-' {
					right = append(right, c.line)
				}
			}
			if got := strings.Join(left, "\n"); got != strings.Join(lines([]byte(a)), "\n") {
				t.Errorf("from %q to %q: the left side is %q", a, b, got)
			}
			if got := strings.Join(right, "\n"); got != strings.Join(lines([]byte(b)), "\n") {
				t.Errorf("from %q to %q: the right side is %q", a, b, got)
			}
		}
	}
	got := unifiedDiff("f", []byte("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n"), []byte("1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n11\n12\n13\x1b[2J"))
	want := "--- a/f\n+++ b/f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n@@ -10,3 +10,4 @@\n 10\n 11\n 12\n+13\ufffd[2J\n\\ No newline at end of file\n"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := unifiedDiff("f", nil, []byte("a\n")); got != "--- /dev/null\n+++ b/f\n@@ -0,0 +1,1 @@\n+a\n" {
		t.Errorf("a new file: %s", got)
	}
}

func TestAttributesAreRead(t *testing.T) {
	root, err := parseXML([]byte(`<a b = 'x"&lt;&gt;&quot;&apos;&amp;&#65;&#x42;&nbsp;&#0;&;&' c d=e f="</a>"/>`))
	if err != nil {
		t.Fatal(err)
	}
	a := root.child("a")
	if got, want := a.attr("b"), `x"<>"'&AB&nbsp;&#0;&;&`; got != want {
		t.Errorf("b is %q, want %q", got, want)
	}
	if got := a.attr("f"); got != "</a>" || !a.selfClosed || a.attr("c") != "" || a.attr("d") != "" {
		t.Errorf("%+v", a)
	}
}

func FuzzMerge(f *testing.F) {
	f.Add([]byte(ConferenceXML(bare())))
	for _, s := range []string{
		"<configuration name=\"conference.conf\">\n<caller-controls/>\n<profiles>\n</profiles>\n</configuration>\n",
		"\xef\xbb\xbf<configuration name='conference.conf'/>\r\n",
		"<!-- <profiles> --><configuration name=\"conference.conf\"><profiles a=\"'\" /><![CDATA[</configuration>]]></configuration>",
		"<include>\n<configuration name=\"conference.conf\">\n<!--#set \"x=y\"-->\n<profiles></profiles></configuration>\n</include>",
		"<configuration name=\"conference.conf\"><profiles>" + markBegin + "profile" + markTail + markEnd + "</profiles></configuration>",
		"<X-PRE-PROCESS cmd=\"include\" data=\"*.xml\"/>\n<configuration name=\"conference.conf\">\r<profiles>\x00\n</profiles></configuration>",
	} {
		f.Add([]byte(s))
	}
	other := bare()
	other.Keys.Coach, other.Rate = []string{"99"}, 16000
	f.Fuzz(func(t *testing.T, before []byte) {
		d := conference(string(before))
		if err := d.install(bare()); err != nil {
			var e *Error
			if !errors.As(err, &e) && !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("an error of no kind: %v", err)
			}
			if len(d) != 1 || d[confPath] != string(before) {
				t.Fatalf("%v, and yet something was changed: %q", err, d)
			}
			return
		}
		if n := strings.Count(d[confPath], markBegin); n < 1 || n > 2 || n != strings.Count(d[confPath], markEnd) {
			t.Fatalf("%d blocks in %q", n, d[confPath])
		}
		base, err := unmerge(before)
		if err != nil {
			t.Fatalf("installed over broken marks: %v", err)
		}
		if err := d.install(other); err != nil {
			t.Fatalf("with other settings: %v", err)
		}
		if err := d.uninstall(); err != nil {
			t.Fatalf("uninstall: %v", err)
		}
		if d[confPath] != string(base) || len(d) != 1 {
			t.Fatalf("uninstall left %q, want %q", d, base)
		}
	})
}

func FuzzParseXML(f *testing.F) {
	f.Add([]byte(ConferenceXML(Defaults())))
	f.Add([]byte("<a b='c' d><e/></a><!-- --><?x?><!DOCTYPE y [<!ENTITY z \"w\">]>&amp;&#x41;"))
	f.Add([]byte("<a><b></a></b>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		root, err := parseXML(b)
		if err != nil {
			return
		}
		var walk func(n *node)
		walk = func(n *node) {
			for _, c := range n.children {
				if b[c.tagStart] != '<' || b[c.tagEnd-1] != '>' || c.closeStart < c.tagEnd || c.tagStart >= c.tagEnd {
					t.Fatalf("<%s> has its tags at %d, %d, %d of %q", c.name, c.tagStart, c.tagEnd, c.closeStart, b)
				}
				walk(c)
			}
		}
		walk(root)
	})
}
