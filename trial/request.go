package trial

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/consumers/rules"
	"github.com/binaryandbeyond/seam/schemas"
)

// Request is what would be sent. It holds no secret, and no personal value unless that was asked for.
type Request struct {
	Method  string           `json:"method"` // of a file: "APPEND"
	URL     string           `json:"url"`    // of a file: its path
	Headers []deliver.Header `json:"headers,omitempty"`
	Row     []deliver.Header `json:"row,omitempty"`  // of a file: its columns
	Body    any              `json:"body,omitempty"` // JSON; numbers are json.Number
	Key     string           `json:"idempotency_key"`
}

// hiddenValue stands for what is personal and has no mask of its own.
const hiddenValue = "***"

// show is the request of a decision to call; its error is why the event does not fill it.
func (l *Lane) show(in Input, d rules.Decision) (*Request, error) {
	req := deliver.Request{Event: d.Sent(in.Event), Whole: in.Event, Route: d.Route, Facts: cmp.Or(in.Facts, factsLater), Key: d.Key, Attempt: 1, Topic: in.Event.Type.Topic(), Partition: in.Partition, TraceParent: in.TraceParent}
	open, err := l.shown(req)
	if err != nil || l.cfg.Personal {
		return open, err
	}
	req.Event = schemas.Masked(req.Event)
	route := *d.Route
	route.Required, req.Route = nil, &route
	masked, err := l.shown(req)
	if err != nil { // an expression that needs the real value: nothing of the request can be told from what is personal
		masked = &Request{}
	}
	return masks(open, masked), nil
}

// shown is a request with its body read.
func (l *Lane) shown(req deliver.Request) (*Request, error) {
	s, err := l.set.Show(req)
	if err != nil {
		return nil, err
	}
	out := &Request{Method: s.Method, URL: s.URL, Headers: s.Headers, Key: s.Key}
	if req.Route.File != nil {
		out.Headers, out.Row = nil, s.Headers
	}
	if s.Body != nil {
		out.Body, err = parseJSON(s.Body)
	}
	return out, err
}

// parseJSON reads a document with its numbers as they are written.
func parseJSON(b []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if dec.More() {
		return nil, errors.New("there is more behind the document")
	}
	return v, nil
}

// masks is a request with what differs from the same request of the masked event taken from that: such is personal.
func masks(open, masked *Request) *Request {
	out := *open
	out.URL = text(open.URL, masked.URL)
	out.Headers, out.Row = lines(open.Headers, masked.Headers), lines(open.Row, masked.Row)
	out.Body = tree(open.Body, masked.Body)
	return &out
}

func text(open, masked string) string {
	switch {
	case open == masked:
		return open
	case masked == "":
		return hiddenValue
	}
	return masked
}

func lines(open, masked []deliver.Header) []deliver.Header {
	out := slices.Clone(open)
	for i := range out {
		of := ""
		if i < len(masked) && masked[i].Name == out[i].Name {
			of = masked[i].Value
		}
		out[i].Value = text(out[i].Value, of)
	}
	return out
}

// tree masks the leaves in which two documents differ.
func tree(open, masked any) any {
	if reflect.DeepEqual(open, masked) {
		return open
	}
	switch o := open.(type) {
	case map[string]any:
		m, _ := masked.(map[string]any)
		out := maps.Clone(o)
		for k, v := range o {
			out[k] = tree(v, m[k])
		}
		return out
	case []any:
		m, _ := masked.([]any)
		out := slices.Clone(o)
		for i, v := range o {
			var of any
			if len(m) == len(o) {
				of = m[i]
			}
			out[i] = tree(v, of)
		}
		return out
	}
	if s, ok := masked.(string); ok {
		return s
	}
	return hiddenValue
}
