package fsconf

import (
	"io/fs"
	"path"
)

// File is something that Install puts into the configuration folder.
type File struct {
	Path    string // inside the folder, with slashes
	Mode    fs.FileMode
	Content []byte
	Merge   bool // Content is put into a file that is there already, which is otherwise left as it is
}

// fileMode is that of a new file where there is none to go by.
const fileMode fs.FileMode = 0o644

// confPath is where a stock installation has its conference.conf; Install uses
// the file that the switch really reads.
const confPath = "autoload_configs/conference.conf.xml"

// dialplanFile sorts before what else a context includes.
const dialplanFile = "00_livemon.xml"

// Files lists what Install would put into a stock configuration folder. It
// returns a *SettingsError for settings that are not valid.
func Files(s Settings) ([]File, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	stock := &node{name: "configuration", children: []*node{{name: "caller-controls"}, {name: "profiles"}}}
	var out []File
	for _, b := range blocks(stock, s) {
		out = append(out, File{Path: confPath, Mode: fileMode, Content: append(b.render("\n")[1:], '\n'), Merge: true})
	}
	if s.DialIn != "" {
		out = append(out, File{Path: path.Join("dialplan", s.Context, dialplanFile), Mode: fileMode, Content: []byte(dialplanXML(s))})
	}
	ps, err := prompts()
	if err != nil {
		return nil, err
	}
	for _, p := range ps {
		out = append(out, File{Path: p.Path, Mode: fileMode, Content: p.Content})
	}
	return out, nil
}
