package main

import (
	"log/slog"
	"net"
	"net/http"

	"livemon/internal/accounts"
	"livemon/internal/api"
	"livemon/internal/config"
	"livemon/internal/guard"
	"livemon/internal/panel"
	"livemon/internal/wire"
)

// web is what answers on the one address: /v1/ and /healthz are the API's,
// everything else is the panel's.
func web(svc wire.Service, people *accounts.Service, cfg config.Config, o api.ServerOptions, log *slog.Logger) (http.Handler, error) {
	proxies, err := cfg.Proxies()
	if err != nil {
		return nil, err
	}
	// A cookie that browsers send back over TLS only is of no use without it, and
	// behind a proxy each request says for itself whether there was TLS.
	pages := map[bool]*panel.Panel{}
	handlers := map[bool]http.Handler{}
	for _, secure := range []bool{false, true} {
		p, err := panel.New(panel.Options{
			Service: guard.New(svc, people), Accounts: people, Secure: secure, Keys: cfg.Settings().Keys, Logger: log, Version: o.Version,
		})
		if err != nil {
			return nil, err
		}
		pages[secure], handlers[secure] = p, p.Handler()
	}
	o.Accounts, o.Logger = people, log
	o.Login = func(r *http.Request) (wire.Actor, error) { return pages[api.Secure(r)].Login(r) }

	mux := http.NewServeMux()
	rest := api.NewServer(svc, o)
	mux.Handle("/v1/", rest)
	mux.Handle("/healthz", rest)
	mux.Handle("/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handlers[api.Secure(r)].ServeHTTP(w, r) }))
	return api.TrustProxies(proxies, api.StrictTransport(mux)), nil
}

// sayWhere logs where the page is, and warns of an address on which what is
// secret could be read on the way.
func sayWhere(log *slog.Logger, addr net.Addr, cfg config.Config) {
	scheme := "http"
	if cfg.TLSCert != "" {
		scheme = "https"
	}
	base := scheme + "://" + addr.String()
	log.Info("livemon is running", "version", version(), "page", base+"/", "api", base, "switches", len(cfg.FreeSWITCH))
	if a, ok := addr.(*net.TCPAddr); ok && !a.IP.IsLoopback() && cfg.TLSCert == "" {
		log.Warn("page and API can be reached from other machines, and tokens, passwords and cookies read on the way: give tls-cert and tls-key, or put a proxy with TLS in front and listen on loopback", "listen", a.String())
	}
}
