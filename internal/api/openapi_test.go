package api_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"livemon/internal/api"
	"livemon/internal/api/apitest"
	"livemon/internal/fault"
	"livemon/internal/wire"
)

type schema struct {
	Ref                  string            `yaml:"$ref"`
	Type                 string            `yaml:"type"`
	Format               string            `yaml:"format"`
	Enum                 []string          `yaml:"enum"`
	Items                *schema           `yaml:"items"`
	Required             []string          `yaml:"required"`
	Properties           map[string]schema `yaml:"properties"`
	AdditionalProperties *bool             `yaml:"additionalProperties"`
}

type parameter struct {
	Ref      string `yaml:"$ref"`
	Name, In string
}

type response struct {
	Ref     string `yaml:"$ref"`
	Content map[string]struct{ Schema schema }
}

type operation struct {
	OperationID string               `yaml:"operationId"`
	Security    *[]map[string]any    `yaml:"security"`
	Parameters  []parameter          `yaml:"parameters"`
	RequestBody *response            `yaml:"requestBody"`
	Responses   map[string]*response `yaml:"responses"`
}

type openAPI struct {
	Paths      map[string]map[string]operation
	Components struct {
		Parameters map[string]parameter
		Responses  map[string]*response
		Schemas    map[string]schema
	}
}

func loadOpenAPI(t *testing.T) (openAPI, map[string]operation) {
	t.Helper()
	w := ask(handler(apitest.New()), "GET", "/v1/openapi.yaml", "")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/yaml" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	var doc openAPI
	if err := yaml.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	ops := map[string]operation{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			ops[strings.ToUpper(method)+" "+path] = op
		}
	}
	return doc, ops
}

func TestEveryRouteIsDescribedAndTheReverse(t *testing.T) {
	doc, ops := loadOpenAPI(t)
	got, want := slices.Sorted(maps.Keys(ops)), api.RouteTable()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("described: %q\nserved: %q", got, want)
	}
	ids := map[string]bool{}
	for route, op := range ops {
		if op.OperationID == "" || ids[op.OperationID] {
			t.Errorf("%s: operationId %q is missing or taken", route, op.OperationID)
		}
		ids[op.OperationID] = true
		if open := op.Security != nil && len(*op.Security) == 0; open != (route == "GET /healthz") {
			t.Errorf("%s: open is %v", route, open)
		}
		var query []string
		for _, p := range op.Parameters {
			if p.Ref != "" {
				p = doc.Components.Parameters[strings.TrimPrefix(p.Ref, "#/components/parameters/")]
			}
			switch p.In {
			case "query":
				query = append(query, p.Name)
			case "path":
				if !strings.Contains(route, "{"+p.Name+"}") {
					t.Errorf("%s has no place for %s", route, p.Name)
				}
			default:
				t.Errorf("%s: parameter %+v", route, p)
			}
		}
		takes := slices.Clone(api.RouteQuery(route))
		slices.Sort(query)
		slices.Sort(takes)
		if !slices.Equal(query, takes) {
			t.Errorf("%s takes %q, described are %q", route, takes, query)
		}
	}
}

// goTypes are the values behind the schemas. Those of requests may leave out
// what the service fills in.
var goTypes = map[string]any{
	"Agent": wire.Agent{}, "Supervisor": wire.Supervisor{}, "Session": wire.Session{}, "AuditRecord": wire.AuditRecord{}, "AuditHead": wire.AuditHead{},
	"Extension": wire.Extension{}, "Finding": wire.Finding{}, "Node": wire.Node{}, "Error": wire.Error{},
	"AgentsChanged": api.AgentsChanged{}, "AgentKey": api.AgentKey{},
	"VersionInfo": api.VersionInfo{}, "Health": api.Health{},
	"MonitorRequest": wire.MonitorRequest{}, "RoleRequest": api.RoleRequest{}, "FollowRequest": api.FollowRequest{}, "ExtensionRequest": api.ExtensionRequest{},
	"Actor": wire.Actor{}, "Account": wire.Account{}, "AccountRequest": api.AccountRequest{}, "Lock": wire.Lock{},
	"Token": wire.Token{}, "TokenRequest": api.TokenRequest{}, "NewToken": wire.NewToken{},
	"Notice": wire.Notice{}, "Team": wire.Team{}, "TeamRequest": api.TeamRequest{},
}

var requests = []string{"MonitorRequest", "RoleRequest", "FollowRequest", "ExtensionRequest", "AccountRequest", "TokenRequest", "TeamRequest"}

var enums = map[string][]string{
	"Role":       {string(wire.Joining), string(wire.Monitor), string(wire.Coach), string(wire.Barge), string(wire.TakeOver)},
	"Status":     {string(wire.Requested), string(wire.Ringing), string(wire.Answered), string(wire.Listening), string(wire.Waiting), string(wire.Ended)},
	"Action":     {string(wire.ActionListen), string(wire.ActionCoach), string(wire.ActionBarge), string(wire.ActionTakeOver)},
	"Follow":     {string(wire.FollowCall), string(wire.FollowNext), string(wire.FollowAgent)},
	"NoticeKind": {string(wire.NoticeNone), string(wire.NoticeAgent), string(wire.NoticeAll)},
	"Hold":       {string(wire.HeldByAgent), string(wire.HeldByCustomer)},
	"AgentState": {string(wire.Idle), string(wire.AgentRinging), string(wire.OnCall), string(wire.OnHold), string(wire.InConference), string(wire.WrapUp), string(wire.LoggedOut)},
}

func TestEverySchemaIsTheGoType(t *testing.T) {
	doc, _ := loadOpenAPI(t)
	for name, s := range doc.Components.Schemas {
		if values, ok := enums[name]; ok {
			if !slices.Equal(s.Enum, values) {
				t.Errorf("%s: %q, in Go %q", name, s.Enum, values)
			}
			continue
		}
		v, ok := goTypes[name]
		if !ok {
			t.Errorf("schema %s has no Go type", name)
			continue
		}
		typ := reflect.TypeOf(v)
		fields := map[string]bool{}
		var required []string
		for i := range typ.NumField() {
			f := typ.Field(i)
			field, opt, _ := strings.Cut(f.Tag.Get("json"), ",")
			fields[field] = true
			if opt == "" {
				required = append(required, field)
			}
			p, ok := s.Properties[field]
			if !ok {
				t.Errorf("%s.%s is not described", name, field)
				continue
			}
			if got, want := typeOfSchema(p), typeOfGo(f.Type); got != want && !(name == "RoleRequest" && got == "string") {
				t.Errorf("%s.%s is described as %s, but is %s", name, field, got, want)
			}
		}
		for p := range s.Properties {
			if !fields[p] {
				t.Errorf("%s.%s is described, but not there", name, p)
			}
		}
		slices.Sort(required)
		slices.Sort(s.Required)
		if isRequest := slices.Contains(requests, name); isRequest {
			if s.AdditionalProperties == nil || *s.AdditionalProperties {
				t.Errorf("%s does not say that unknown fields are refused", name)
			}
		} else if !slices.Equal(required, s.Required) {
			t.Errorf("%s requires %q, but always there are %q", name, s.Required, required)
		}
	}
	for name := range goTypes {
		if _, ok := doc.Components.Schemas[name]; !ok {
			t.Errorf("%s is not described", name)
		}
	}
}

func TestRequiredFieldsAreRequired(t *testing.T) {
	doc, _ := loadOpenAPI(t)
	complete := map[string][3]string{
		"MonitorRequest":   {"POST", "/v1/sessions", `"agent":"1001","phone":"1002"`},
		"RoleRequest":      {"POST", "/v1/sessions/s1/role", `"role":"coach"`},
		"FollowRequest":    {"PUT", "/v1/sessions/s1/follow", `"follow":"next"`},
		"ExtensionRequest": {"POST", "/v1/extensions", `"number":"1"`},
	}
	for name, c := range complete {
		fields := strings.Split(c[2], ",")
		if len(fields) != len(doc.Components.Schemas[name].Required) {
			t.Errorf("%s requires %q", name, doc.Components.Schemas[name].Required)
		}
		if w := ask(handler(apitest.New()), c[0], c[1], "{"+c[2]+"}"); w.Code == 400 {
			t.Errorf("%s: %s", name, w.Body)
		}
		for i := range fields {
			body := "{" + strings.Join(slices.Delete(slices.Clone(fields), i, i+1), ",") + "}"
			if w := ask(handler(apitest.New()), c[0], c[1], body); w.Code != 400 {
				t.Errorf("%s is taken as a %s: %d", body, name, w.Code)
			}
		}
	}
}

func typeOfSchema(s schema) string {
	switch {
	case s.Ref != "":
		return strings.TrimPrefix(s.Ref, "#/components/schemas/")
	case s.Type == "array":
		return "list of " + typeOfSchema(*s.Items)
	case s.Format != "":
		return s.Format
	}
	return s.Type
}

func typeOfGo(t reflect.Type) string {
	switch {
	case t.Kind() == reflect.Pointer:
		return typeOfGo(t.Elem())
	case t == reflect.TypeFor[time.Time]():
		return "date-time"
	case t.PkgPath() != "":
		return t.Name()
	case t.Kind() == reflect.Slice:
		return "list of " + typeOfGo(t.Elem())
	case t.Kind() == reflect.Bool:
		return "boolean"
	case t.Kind() == reflect.Int || t.Kind() == reflect.Int64:
		return "integer"
	}
	return t.Kind().String()
}

// What a successful answer is declared as is what the code encodes; the client's
// tests read every one of them.
func TestAnswersAreDeclared(t *testing.T) {
	_, ops := loadOpenAPI(t)
	for route, op := range ops {
		n := 0
		for status, r := range op.Responses {
			if status[0] != '2' {
				continue
			}
			n++
			for _, c := range r.Content {
				if s := typeOfSchema(c.Schema); s != "string" && goTypes[strings.TrimPrefix(s, "list of ")] == nil {
					t.Errorf("%s answers %s", route, s)
				}
			}
		}
		if n != 1 {
			t.Errorf("%s has %d successful answers", route, n)
		}
	}
}

// provocations cause each status that an operation may be answered with.
func provocations() map[int]func(fake *apitest.Fake, o operation, method, path, body string) int {
	ordinary := func(fake *apitest.Fake, method, path, body string, header ...string) int {
		return ask(handler(fake), method, path, body, header...).Code
	}
	failing := func(err error) func(*apitest.Fake, operation, string, string, string) int {
		return func(fake *apitest.Fake, _ operation, method, path, body string) int {
			fake.FailWith(func(string) error { return err })
			return ordinary(fake, method, path, body)
		}
	}
	return map[int]func(*apitest.Fake, operation, string, string, string) int{
		400: func(fake *apitest.Fake, _ operation, method, path, body string) int {
			return ordinary(fake, method, path+"?nonsense=1", body)
		},
		401: func(fake *apitest.Fake, _ operation, method, path, body string) int {
			return ordinary(fake, method, path, body, "Authorization", "Bearer wrong")
		},
		403: func(fake *apitest.Fake, _ operation, method, path, body string) int {
			return ordinary(fake, method, path, body, "Origin", "http://evil.example")
		},
		404: failing(wire.ErrNotFound),
		409: failing(fault.New(fault.PupilGone, "", "")),
		413: func(fake *apitest.Fake, _ operation, method, path, _ string) int {
			if method == http.MethodGet {
				return 0
			}
			return ordinary(fake, method, path, strings.Repeat(" ", 70<<10))
		},
		415: func(fake *apitest.Fake, o operation, method, path, body string) int {
			if o.RequestBody == nil {
				return 0
			}
			return ordinary(fake, method, path, body, "Content-Type", "text/plain")
		},
		500: failing(errors.New("boom")),
		502: failing(fault.New(fault.RoomNotCreated, "", "")),
		503: failing(fault.New(fault.StoreUnavailable, "", "")),
		504: failing(fault.New(fault.SwitchTimeout, "", "")),
	}
}

func TestEveryDescribedErrorIsProvokedAndNoOther(t *testing.T) {
	doc, ops := loadOpenAPI(t)
	bodies := map[string]string{
		"POST /v1/sessions": `{"agent":"1001","phone":"1002"}`, "POST /v1/sessions/{id}/role": `{"role":"coach"}`, "PUT /v1/sessions/{id}/follow": `{"follow":"agent"}`, "POST /v1/extensions": `{"number":"1"}`,
		"POST /v1/accounts": `{"name":"sue"}`, "PATCH /v1/accounts/{account}": `{"rank":1}`, "POST /v1/accounts/{account}/tokens": `{"name":"x"}`,
		"POST /v1/teams": `{"name":"support"}`, "PATCH /v1/teams/{team}": `{"every":5}`,
	}
	for route, op := range ops {
		method, path, _ := strings.Cut(route, " ")
		path = strings.NewReplacer("{id}", "s1", "{number}", "1002", "{account}", "sue", "{team}", "support").Replace(path)
		described := map[string]bool{}
		for status, r := range op.Responses {
			if status[0] == '2' {
				continue
			}
			described[status] = true
			named := doc.Components.Responses[strings.TrimPrefix(r.Ref, "#/components/responses/")]
			if named == nil || named.Content["application/json"].Schema.Ref != "#/components/schemas/Error" {
				t.Errorf("%s %s: the answer is no Error", route, status)
			}
		}
		for status, provoke := range provocations() {
			key := fmt.Sprint(status)
			if path == "/v1/events" && (status == 413 || status == 415) {
				continue
			}
			if !described[key] {
				// It must not happen: what would provoke it elsewhere is answered otherwise.
				// A stream that succeeds does not end, and has every error described.
				if got := provoke(apitest.New(), op, method, path, bodies[route]); got == status {
					t.Errorf("%s is answered %d, which is not described", route, status)
				}
				continue
			}
			if got := provoke(apitest.New(), op, method, path, bodies[route]); got != status {
				t.Errorf("%s: %d is described, but what provokes it is answered %d", route, status, got)
			}
			delete(described, key)
		}
		for status := range described {
			t.Errorf("%s: nothing provokes %s", route, status)
		}
	}
}
