package panel

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
)

//go:embed static
var staticFiles embed.FS

//go:embed templates
var templateFiles embed.FS

// staticHash is in the address of every file, so that a browser may keep it for
// ever: other files have another address.
var staticHash, staticTypes = indexStatic()

func indexStatic() (string, map[string]string) {
	known := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	sum, types := sha256.New(), map[string]string{}
	list, err := staticFiles.ReadDir("static") // sorted by name
	if err != nil {
		panic(err) // embedded: it is there, or this did not compile
	}
	for _, f := range list {
		data, err := fs.ReadFile(staticFiles, "static/"+f.Name())
		if err != nil {
			panic(err)
		}
		types[f.Name()] = known[path.Ext(f.Name())]
		sum.Write([]byte(f.Name() + "\x00"))
		sum.Write(data)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], types
}

func (p *Panel) static(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("file")
	if staticTypes[name] == "" || r.PathValue("hash") != staticHash {
		return pageError{http.StatusNotFound, "There is no such file."}
	}
	data, err := staticFiles.ReadFile("static/" + name)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", staticTypes[name])
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(data) // who asked may be gone
	return nil
}
