package api_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"livemon/internal/api"
	"livemon/internal/api/apitest"
)

// certificate writes one of its own for 127.0.0.1, and its key.
func certificate(t *testing.T, dir string, serial int64) (cert, key string, parsed *x509.Certificate) {
	t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &priv.PublicKey, priv)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err = x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, parsed
}

// logs is a log that tests can read while it is written.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key, first := certificate(t, dir, 1)
	out := &logs{}
	log := slog.New(slog.NewTextHandler(out, nil))
	secure, err := api.TLSConfig(cert, key, log)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- api.Serve(ctx, ln, secure, api.StrictTransport(handler(apitest.New())), slog.New(slog.DiscardHandler))
	}()
	defer func() {
		cancel()
		if err := receive(t, done); err != nil {
			t.Error(err)
		}
	}()
	addr := ln.Addr().String()

	roots := x509.NewCertPool()
	roots.AddCert(first)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	req, _ := http.NewRequestWithContext(t.Context(), "GET", "https://"+addr+"/v1/agents", nil)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 200 || res.ProtoMajor != 2 || !strings.HasPrefix(res.Header.Get("Strict-Transport-Security"), "max-age=") {
		t.Errorf("%s %s %v", res.Status, res.Proto, res.Header)
	}
	if w := ask(api.StrictTransport(handler(apitest.New())), "GET", "/healthz", ""); w.Header().Get("Strict-Transport-Security") != "" {
		t.Error("without TLS it claims to have it")
	}
	old := &tls.Dialer{Config: &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS11}}
	if conn, err := old.DialContext(t.Context(), "tcp", addr); err == nil {
		_ = conn.Close()
		t.Error("TLS 1.1 is accepted")
	}

	serial := func() int64 {
		t.Helper()
		d := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // whose certificate it is, is what is looked at
		conn, err := d.DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	becomes := func(what string, so func() bool) {
		t.Helper()
		deadline := time.After(patience)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for !so() {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("%s: never; %s", what, out)
			}
		}
	}
	// Half of a change, or nonsense, leaves the old one in use, and is told once.
	good, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cert, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	becomes("the failure is told", func() bool { return serial() == 1 && strings.Contains(out.String(), "cannot be used") })
	since := time.Now()
	becomes("it is looked at twice more", func() bool {
		if serial() != 1 {
			t.Fatal("the old one is not in use")
		}
		return time.Since(since) > 2500*time.Millisecond
	})
	if n := strings.Count(out.String(), "cannot be used"); n != 1 {
		t.Errorf("it was told %d times", n)
	}
	if err := os.WriteFile(cert, good, 0o600); err != nil {
		t.Fatal(err)
	}
	certificate(t, dir, 2)
	becomes("the new one is used", func() bool { return serial() == 2 })
	if strings.Contains(out.String(), "PRIVATE") {
		t.Error("the log holds the key")
	}
}

func TestTLSFilesThatCannotBeUsed(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	cert, key, _ := certificate(t, a, 1)
	_, other, _ := certificate(t, b, 2)
	for name, c := range map[string][2]string{"no file": {cert, filepath.Join(a, "none")}, "another's key": {cert, other}, "swapped": {key, cert}, "a folder": {a, key}} {
		if _, err := api.TLSConfig(c[0], c[1], slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
