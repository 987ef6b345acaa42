package state

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// EmbeddedURL asks for the server inside the process.
const EmbeddedURL = "embedded"

const urlForms = "want embedded, redis://[user:password@]host[:port][/db], rediss://..., unix:///path, " +
	"redis+sentinel://host[,host...]/master[/db] or redis+cluster://host[,host...]"

func urlError(why string) error { return fmt.Errorf("%w: %s; %s", ErrURL, why, urlForms) }

// newClient makes the client that a URL asks for. It connects to nothing.
func newClient(raw string, o Options) (redis.UniversalClient, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return nil, urlError("it has no scheme")
	}
	switch scheme {
	case "unix":
		return newSingle(raw, o)
	case "redis", "rediss":
		if hosts, _, _ := strings.Cut(rest, "/"); !strings.Contains(hosts[strings.LastIndex(hosts, "@")+1:], ",") {
			return newSingle(raw, o)
		}
		return newCluster(scheme, rest, o)
	case "redis+cluster", "rediss+cluster":
		return newCluster(scheme, rest, o)
	case "redis+sentinel", "rediss+sentinel":
		return newSentinel(scheme, rest, o)
	}
	return nil, urlError("unknown scheme")
}

func newSingle(raw string, o Options) (redis.UniversalClient, error) {
	c, err := redis.ParseURL(raw)
	if err != nil {
		// The parser's errors quote the URL, password included.
		return nil, urlError("it cannot be parsed")
	}
	if c.DB < 0 {
		return nil, urlError("bad database number")
	}
	if c.DialTimeout == 0 {
		c.DialTimeout = o.DialTimeout
	}
	if c.ReadTimeout == 0 {
		c.ReadTimeout = o.IOTimeout
	}
	if c.WriteTimeout == 0 {
		c.WriteTimeout = o.IOTimeout
	}
	if c.PoolTimeout == 0 {
		c.PoolTimeout = o.IOTimeout
	}
	if c.MaxRetries == 0 {
		c.MaxRetries = 1
	}
	if c.TLSConfig != nil && o.TLSConfig != nil {
		name := c.TLSConfig.ServerName
		c.TLSConfig = o.TLSConfig.Clone()
		if c.TLSConfig.ServerName == "" {
			c.TLSConfig.ServerName = name
		}
	}
	c.DialerRetries = 1
	c.ContextTimeoutEnabled = true
	c.PipelinePoolSize = -1
	c.DisableIdentity = true
	c.MaintNotificationsConfig = noMaint()
	return redis.NewClient(c), nil
}

func newCluster(scheme, rest string, o Options) (redis.UniversalClient, error) {
	p, err := parseList(scheme, rest, "6379")
	if err != nil {
		return nil, err
	}
	if len(p.path) > 0 || len(p.query) > 0 {
		return nil, urlError("a cluster takes neither database nor options")
	}
	u := universal(p, o)
	u.IsClusterMode = true
	return redis.NewUniversalClient(u), nil
}

func newSentinel(scheme, rest string, o Options) (redis.UniversalClient, error) {
	p, err := parseList(scheme, rest, "26379")
	if err != nil {
		return nil, err
	}
	u := universal(p, o)
	u.MaxRetries = 1
	switch len(p.path) {
	case 2:
		if u.DB, err = strconv.Atoi(p.path[1]); err != nil || u.DB < 0 {
			return nil, urlError("bad database number")
		}
		fallthrough
	case 1:
		u.MasterName = p.path[0]
	default:
		return nil, urlError("a Sentinel URL names the master")
	}
	for k := range p.query {
		switch k {
		case "sentinel_username":
			u.SentinelUsername = p.query.Get(k)
		case "sentinel_password":
			u.SentinelPassword = p.query.Get(k)
		default:
			return nil, urlError("unknown option; Sentinel takes sentinel_username and sentinel_password")
		}
	}
	return redis.NewUniversalClient(u), nil
}

func universal(p listURL, o Options) *redis.UniversalOptions {
	return &redis.UniversalOptions{
		Addrs: p.addrs, Username: p.user, Password: p.password, TLSConfig: p.tls(o),
		DialTimeout: o.DialTimeout, ReadTimeout: o.IOTimeout, WriteTimeout: o.IOTimeout, PoolTimeout: o.IOTimeout,
		DialerRetries: 1, ContextTimeoutEnabled: true, PipelinePoolSize: -1,
		DisableIdentity: true, MaintNotificationsConfig: noMaint(),
	}
}

func noMaint() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// listURL is a URL with several hosts, which net/url does not take.
type listURL struct {
	secure         bool
	user, password string
	addrs, path    []string
	query          url.Values
}

func (p listURL) tls(o Options) *tls.Config {
	switch {
	case !p.secure:
		return nil
	case o.TLSConfig != nil:
		return o.TLSConfig.Clone()
	}
	return &tls.Config{MinVersion: tls.VersionTLS12}
}

func parseList(scheme, rest, port string) (listURL, error) {
	p := listURL{secure: strings.HasPrefix(scheme, "rediss")}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	at := strings.LastIndex(authority, "@")
	u, err := url.Parse("redis://" + authority[:at+1] + "host" + tail)
	if err != nil || u.Fragment != "" {
		return p, urlError("it cannot be parsed")
	}
	p.user = u.User.Username()
	p.password, _ = u.User.Password()
	p.path = strings.FieldsFunc(u.Path, func(r rune) bool { return r == '/' })
	if p.query, err = url.ParseQuery(u.RawQuery); err != nil {
		return p, urlError("its options cannot be parsed")
	}
	for host := range strings.SplitSeq(authority[at+1:], ",") {
		addr, err := hostPort(host, port)
		if err != nil {
			return p, err
		}
		p.addrs = append(p.addrs, addr)
	}
	return p, nil
}

// hostPort adds the default port to a host that has none.
func hostPort(s, port string) (string, error) {
	host := s
	if h, n, err := net.SplitHostPort(s); err == nil {
		host, port = h, n
	} else if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		host = s[1 : len(s)-1]
	} else if strings.Contains(s, ":") {
		return "", urlError("bad host")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", urlError("bad port")
	}
	if host == "" || strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("[]@/", r) }) {
		return "", urlError("bad host")
	}
	return net.JoinHostPort(host, port), nil
}
