package api

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"
)

const (
	lookAtFiles = time.Second // at most once in which the certificate's files are looked at
	hsts        = "max-age=31536000"
)

// TLSConfig returns what a server of TLS 1.2 and later needs, with a certificate
// (and those that lead to its root) and its key from PEM files. They are read
// again when they have changed; new connections get the new certificate, and go
// on getting the old one while the files do not fit each other or cannot be read,
// which is logged. An error means that they cannot be used now.
func TLSConfig(certFile, keyFile string, log *slog.Logger) (*tls.Config, error) {
	p := &pair{cert: certFile, key: keyFile, log: log}
	if err := p.load(); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: p.get}, nil
}

// pair is a certificate with its key, in two files.
type pair struct {
	cert, key string
	log       *slog.Logger

	mu     sync.Mutex
	now    *tls.Certificate
	of     [2]stamp // the files that now was read from
	failed [2]stamp // the files that could not be read, and that has been logged
	looked time.Time
}

// stamp tells a file from what it was before.
type stamp struct {
	modified time.Time
	size     int64
}

func (p *pair) stamps() [2]stamp {
	var out [2]stamp
	for i, name := range []string{p.cert, p.key} {
		if info, err := os.Stat(name); err == nil {
			out[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return out
}

// load reads the files. Their stamps are taken before: what changes while they are
// read is seen the next time.
func (p *pair) load() error {
	of := p.stamps()
	cert, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil {
		p.failed = of
		return fmt.Errorf("the certificate and its key (tls-cert, tls-key): %w", err)
	}
	p.now, p.of, p.failed = &cert, of, [2]stamp{}
	return nil
}

// get is asked at each connection.
func (p *pair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.looked) < lookAtFiles {
		return p.now, nil
	}
	p.looked = time.Now()
	of := p.stamps()
	if of == p.of {
		return p.now, nil
	}
	told := of == p.failed
	if err := p.load(); err == nil {
		p.log.Info("the certificate has changed; new connections get the new one", "file", p.cert)
	} else if !told {
		p.log.Error("the certificate's files have changed and cannot be used; the old one is used on", "error", err)
	}
	return p.now, nil
}

// StrictTransport has browsers that came over TLS to this process come back in no
// other way for a year.
func StrictTransport(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil {
			w.Header().Set("Strict-Transport-Security", hsts)
		}
		next.ServeHTTP(w, r)
	})
}
