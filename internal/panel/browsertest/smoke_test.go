package browsertest

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestSmoke(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			w.WriteHeader(204)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte(`<!doctype html><title>x</title><link rel=icon href="data:,"><button>One</button><label>Name <input id=n></label><button onclick="document.body.append('hi')">Two</button>`))
	}))
	defer s.Close()
	b := open(t, s.URL)
	b.visit("/")
	b.fill("Name", "abc")
	if eval[string](b, "n.value") != "abc" {
		t.Fatal("no")
	}
	b.use("button", "Two")
	b.shows("hi")
	b.click("button", "Two")
	b.shows("hihi")
}
