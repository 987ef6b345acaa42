package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"livemon/internal/web"
)

// decodeBody reads a request's body into dst, a pointer to a flat struct. The
// body must be one JSON object with no other fields than dst's, each spelt
// exactly and given once: encoding/json alone would take "AGENT" for "agent"
// and the last of two, where another reader would take the first.
func decodeBody(r *http.Request, dst any) error {
	mt, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mt != "application/json" {
		return httpError{http.StatusUnsupportedMediaType, "the body must be JSON, with Content-Type: application/json"}
	}
	body, err := readBody(r)
	if err != nil {
		return err
	}
	return decodeObject(body, dst)
}

func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if isTooLarge(err) {
		return nil, httpError{http.StatusRequestEntityTooLarge, "the body is larger than 64 KiB"}
	}
	if err != nil {
		return nil, badRequest("the body could not be read")
	}
	return body, nil
}

// noBody refuses a body where none is expected; an empty object is let through
// because some clients cannot leave it out.
func noBody(r *http.Request) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	if b := bytes.TrimSpace(body); len(b) > 0 && string(b) != "{}" {
		return badRequest("this operation takes no body")
	}
	return nil
}

func decodeObject(body []byte, dst any) error {
	if !utf8.Valid(body) {
		return badRequest("the body is not valid UTF-8")
	}
	if err := checkFields(body, fieldNames(dst)); err != nil {
		return err
	}
	if err := json.Unmarshal(body, dst); err != nil {
		var t *json.UnmarshalTypeError
		if errors.As(err, &t) {
			return badRequest("field %s must be a %s, not a JSON %s", t.Field, typeName(t.Type.Kind()), t.Value)
		}
		return badRequest("the body is not valid JSON")
	}
	return nil
}

// checkFields walks the object's own names.
func checkFields(body []byte, names []string) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return badRequest("the body must be a JSON object")
	}
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return badRequest("the body is not valid JSON")
		}
		if !slices.Contains(names, name) {
			return badRequest("unknown field %q; known are %s", web.Clip(name, 64), strings.Join(names, ", "))
		}
		if seen[name] {
			return badRequest("field %s is given more than once", name)
		}
		seen[name] = true
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return badRequest("the body is not valid JSON")
		}
		if string(value) == "null" {
			return badRequest("field %s must not be null", name)
		}
	}
	if _, err := dec.Token(); err != nil {
		return badRequest("the body is not valid JSON")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return badRequest("there is something after the JSON object")
	}
	return nil
}

func fieldNames(dst any) []string {
	t := reflect.TypeOf(dst).Elem()
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

func typeName(k reflect.Kind) string {
	if k == reflect.Bool {
		return "boolean"
	}
	return k.String()
}
