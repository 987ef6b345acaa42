package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"livemon/internal/fault"
	"livemon/internal/web"
	"livemon/internal/wire"
)

// ErrUnreachable says that no answer came: nothing listens there, or the network is in the way.
var ErrUnreachable = errors.New("cannot reach livemon")

// ErrUnauthorized says that the token is missing or wrong.
var ErrUnauthorized = errors.New("the API token is missing or wrong")

const (
	maxAnswer     = 64 << 20 // bytes of an answer or of one event
	clientTimeout = callTimeout + writeTimeout
)

// Client calls a livemon service. Its methods are those of wire.Service with the
// same meaning, but Changed, for which there is Watch. Failures with a code are a
// *fault.Error; others wrap wire.ErrNotFound, wire.ErrBadRequest, ErrUnauthorized,
// ErrUnreachable, or are a *StatusError. It is safe for concurrent use.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// StatusError is an answer that is neither a success nor a failure with a code.
type StatusError struct {
	Status  int // of HTTP
	Message string
}

func (e *StatusError) Error() string { return e.Message }

// Unwrap returns the sentinel that the status stands for, if there is one.
func (e *StatusError) Unwrap() error {
	switch e.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		return wire.ErrBadRequest
	case http.StatusNotFound:
		return wire.ErrNotFound
	case http.StatusUnauthorized:
		return ErrUnauthorized
	}
	return nil
}

// NewClient returns a client of the service at base, an http or https URL. The
// token goes to that address only: redirections are not followed.
func NewClient(base, token string) *Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	return &Client{
		base: strings.TrimRight(base, "/"), token: token,
		http: &http.Client{
			Transport:     t,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Close closes idle connections. The client may be used again.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Base is the address that the client was made for.
func (c *Client) Base() string { return c.base }

// open sends a request and returns a successful answer, whose body the caller closes.
func (c *Client) open(ctx context.Context, method, path string, q url.Values, in any) (*http.Response, error) {
	u, err := url.Parse(c.base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, badRequest("the API's address %q must be a URL as in http://127.0.0.1:8090", web.Clip(c.base, 200))
	}
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, badRequest("the request cannot be encoded")
		}
		body = bytes.NewReader(data)
	}
	target := c.base + path
	if len(q) > 0 {
		target += "?" + q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	res, err := c.http.Do(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return nil, fmt.Errorf("%w at %s: %w", ErrUnreachable, u.Redacted(), err)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		defer func() { _ = res.Body.Close() }()
		return nil, readError(res)
	}
	return res, nil
}

// readError turns the answer back into the error that the service returned.
func readError(res *http.Response) error {
	data, _ := io.ReadAll(io.LimitReader(res.Body, maxBody))
	var body wire.Error
	if err := json.Unmarshal(data, &body); err != nil || body.Message == "" {
		return &StatusError{Status: res.StatusCode, Message: "the answer is not livemon's: " + res.Status}
	}
	if code := fault.Code(body.Code); code.Known() {
		return fault.New(code, "", web.Clip(faultDetail(code, body.Message), 1000))
	}
	return &StatusError{Status: res.StatusCode, Message: web.Clip(body.Message, 1000)}
}

func (c *Client) do(ctx context.Context, method, path string, q url.Values, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	res, err := c.open(ctx, method, path, q, in)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(out); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return fmt.Errorf("the answer of %s %s cannot be read: %w", method, path, err)
	}
	return nil
}

func sessionPath(id string) string { return "/v1/sessions/" + url.PathEscape(id) }

// Agents lists the agents.
func (c *Client) Agents(ctx context.Context) (out []wire.Agent, err error) {
	return out, c.do(ctx, "GET", "/v1/agents", nil, nil, &out)
}

// Nodes lists the switches.
func (c *Client) Nodes(ctx context.Context) (out []wire.Node, err error) {
	return out, c.do(ctx, "GET", "/v1/nodes", nil, nil, &out)
}

// Sessions lists the sessions that have not ended.
func (c *Client) Sessions(ctx context.Context) (out []wire.Session, err error) {
	return out, c.do(ctx, "GET", "/v1/sessions", nil, nil, &out)
}

// Session returns one session.
func (c *Client) Session(ctx context.Context, id string) (out wire.Session, err error) {
	if err := ValidateID("session", id); err != nil {
		return out, err
	}
	return out, c.do(ctx, "GET", sessionPath(id), nil, nil, &out)
}

// AwaitSession returns once the session's status or role differs from those
// given, or it has ended. If ctx ends first it returns the session as last read,
// or ctx's error if it was never read.
func (c *Client) AwaitSession(ctx context.Context, id string, status wire.Status, role wire.Role) (wire.Session, error) {
	var last wire.Session
	if err := ValidateID("session", id); err != nil {
		return last, err
	}
	q := url.Values{"status": {string(status)}, "role": {string(role)}}
	for {
		wait := maxWait / 2
		if deadline, ok := ctx.Deadline(); ok {
			wait = min(wait, time.Until(deadline))
		}
		q.Set("wait", strconv.Itoa(max(1, int(wait/time.Second))))
		var got wire.Session
		if err := c.do(ctx, "GET", sessionPath(id), q, nil, &got); err != nil {
			if ctx.Err() != nil && last.ID != "" {
				return last, nil
			}
			return got, err
		}
		if got.Status != status || got.Role != role || got.Status == wire.Ended {
			return got, nil
		}
		last = got
		if ctx.Err() != nil {
			return last, nil
		}
	}
}

// StartSession asks for a session.
func (c *Client) StartSession(ctx context.Context, r wire.MonitorRequest) (out wire.Session, err error) {
	if err := checkMonitorRequest(r); err != nil {
		return out, err
	}
	return out, c.do(ctx, "POST", "/v1/sessions", nil, r, &out)
}

// ChangeRole asks for monitor, coach or barge.
func (c *Client) ChangeRole(ctx context.Context, id string, to wire.Role) (out wire.Session, err error) {
	if err := firstError(ValidateID("session", id), ValidateRole(to)); err != nil {
		return out, err
	}
	return out, c.do(ctx, "POST", sessionPath(id)+"/role", nil, RoleRequest{Role: to}, &out)
}

// SetFollow changes how long a session goes on.
func (c *Client) SetFollow(ctx context.Context, id string, f wire.Follow) (out wire.Session, err error) {
	if err := firstError(ValidateID("session", id), ValidateFollow(f)); err != nil {
		return out, err
	}
	return out, c.do(ctx, "PUT", sessionPath(id)+"/follow", nil, FollowRequest{Follow: f}, &out)
}

// TakeOver puts the agent out of the call.
func (c *Client) TakeOver(ctx context.Context, id string) (out wire.Session, err error) {
	if err := ValidateID("session", id); err != nil {
		return out, err
	}
	return out, c.do(ctx, "POST", sessionPath(id)+"/takeover", nil, nil, &out)
}

// StopSession ends a session.
func (c *Client) StopSession(ctx context.Context, id string) (out wire.Session, err error) {
	if err := ValidateID("session", id); err != nil {
		return out, err
	}
	return out, c.do(ctx, "DELETE", sessionPath(id), nil, nil, &out)
}

// Extensions lists the registered numbers.
func (c *Client) Extensions(ctx context.Context) (out []wire.Extension, err error) {
	return out, c.do(ctx, "GET", "/v1/extensions", nil, nil, &out)
}

// AddExtension registers a number. Added is set by the service.
func (c *Client) AddExtension(ctx context.Context, e wire.Extension) (out wire.Extension, err error) {
	if err := firstError(ValidatePhone("number", e.Number), ValidateName("name", e.Name)); err != nil {
		return out, err
	}
	return out, c.do(ctx, "POST", "/v1/extensions", nil, ExtensionRequest{Number: e.Number, Name: e.Name}, &out)
}

// RemoveExtension removes a registered number.
func (c *Client) RemoveExtension(ctx context.Context, number string) error {
	if err := ValidatePhone("number", number); err != nil {
		return err
	}
	return c.do(ctx, "DELETE", "/v1/extensions/"+url.PathEscape(number), nil, nil, nil)
}

// Doctor returns what the service checked.
func (c *Client) Doctor(ctx context.Context) (out []wire.Finding, err error) {
	return out, c.do(ctx, "GET", "/v1/doctor", nil, nil, &out)
}

// Version returns the version of the running service.
func (c *Client) Version(ctx context.Context) (string, error) {
	var out VersionInfo
	err := c.do(ctx, "GET", "/v1/version", nil, nil, &out)
	return out.Version, err
}
