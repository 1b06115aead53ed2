package trial

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/topology"
)

// Result is what became of one case.
type Result struct {
	Integration string   `json:"integration"`
	Case        string   `json:"case"`
	File        string   `json:"file"` // in the topology's folder
	Line        int      `json:"line"`
	OK          bool     `json:"ok"`
	Diff        []string `json:"diff,omitempty"` // "request.body.total: want 12, got 13"
	Got         *Trial   `json:"got,omitempty"`  // nil when the case itself is at fault
}

// Run plays the cases of some files whose names match pattern (nil: all), in order. fsys is the topology's folder, lookup the
// process's variables. The error is of a topology that does not load.
func Run(fsys fs.FS, lookup func(string) (string, bool), files []*File, pattern *regexp.Regexp) ([]Result, error) {
	var out []Result
	for _, f := range files {
		topo, err := topology.LoadForReading(fsys, func(name string) (string, bool) {
			if v, ok := f.Env[name]; ok {
				return v, true
			}
			return lookup(name)
		})
		if err != nil {
			return nil, err
		}
		if topo.Integration(f.Integration) == nil {
			return nil, fmt.Errorf("%s: there is no integrations/%s.yaml beside it", f.Name, f.Integration)
		}
		for i := range f.Cases {
			c := &f.Cases[i]
			if pattern != nil && !pattern.MatchString(c.Name) {
				continue
			}
			r := Result{Integration: f.Integration, Case: c.Name, File: f.Name, Line: c.Line}
			t, err := f.try(topo, c)
			if err == nil {
				r.Got = t
				r.Diff, err = c.Want.differs(t)
			}
			if err != nil {
				r.Diff = []string{err.Error()}
			}
			r.OK = len(r.Diff) == 0
			out = append(out, r)
		}
	}
	return out, nil
}

// differs lists what a trial has otherwise than it is wanted; its error is of the want itself.
func (w *Want) differs(t *Trial) ([]string, error) {
	if w.empty() {
		return []string{"want: is missing: say what is to become of it, or let --update write it"}, nil
	}
	var out []string
	differ := func(what string, want, got any) {
		if !reflect.DeepEqual(want, got) {
			out = append(out, fmt.Sprintf("%s: want %s, got %s", what, compact(want), compact(got)))
		}
	}
	decision := w.Decision
	if decision == "" && w.Request != nil {
		decision = Call
	}
	if decision != "" && decision != t.Decision {
		differ("decision", decision, t.Decision)
		out = append(out, fmt.Sprintf("  rule %s looked at: %s; it said: %s", t.last().Rule, t.last().Looked, t.last().Said))
		if t.Detail != "" {
			out = append(out, "  "+t.Detail)
		}
	}
	if w.Operation != "" {
		differ("operation", w.Operation, t.Operation)
	}
	if w.Withheld != nil {
		got := map[string]string{}
		for field, reason := range t.Withheld {
			got[field] = string(reason)
		}
		differ("withheld", w.Withheld, got)
	}
	if w.Request == nil || t.Request == nil {
		return out, nil
	}
	more, err := w.Request.differs(t.Request)
	return append(out, more...), err
}

func (w *WantRequest) differs(r *Request) ([]string, error) {
	var out []string
	differ := func(what, want, got string) {
		if want != "" && want != got {
			out = append(out, fmt.Sprintf("request.%s: want %s, got %s", what, want, got))
		}
	}
	differ("method", w.Method, r.Method)
	differ("url", w.URL, r.URL)
	for _, name := range sortedKeys(w.Headers) {
		got, ok := valueOf(r.Headers, name)
		if !ok {
			got = "none"
		}
		differ("headers."+name, w.Headers[name], got)
	}
	for _, name := range sortedKeys(w.Row) {
		got, ok := valueOf(r.Row, name)
		if !ok || got != w.Row[name] {
			out = append(out, fmt.Sprintf("request.row.%s: want %q, got %q", name, w.Row[name], got))
		}
	}
	if !w.Body.IsZero() {
		want, err := toJSON(&w.Body)
		if err != nil {
			return out, err
		}
		out = append(out, compare("request.body", want, r.Body, true)...)
	}
	if !w.BodyHas.IsZero() {
		want, err := toJSON(&w.BodyHas)
		if err != nil {
			return out, err
		}
		out = append(out, compare("request.body", want, r.Body, false)...)
	}
	return out, nil
}

func valueOf(list []deliver.Header, name string) (string, bool) {
	i := slices.IndexFunc(list, func(h deliver.Header) bool { return strings.EqualFold(h.Name, name) })
	if i < 0 {
		return "", false
	}
	return list[i].Value, true
}

// compare lists the places in which two documents differ; with exact also members that were not asked for.
func compare(at string, want, got any, exact bool) []string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		var out []string
		for _, k := range sortedKeys(w) {
			if v, there := g[k]; there {
				out = append(out, compare(at+"."+k, w[k], v, exact)...)
			} else {
				out = append(out, fmt.Sprintf("%s.%s: want %s, got nothing", at, k, compact(w[k])))
			}
		}
		for _, k := range sortedKeys(g) {
			if _, asked := w[k]; exact && !asked {
				out = append(out, fmt.Sprintf("%s.%s: got %s, which is not wanted", at, k, compact(g[k])))
			}
		}
		return out
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			break
		}
		var out []string
		for i := range w {
			out = append(out, compare(fmt.Sprintf("%s[%d]", at, i), w[i], g[i], exact)...)
		}
		return out
	default:
		if reflect.DeepEqual(want, got) {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: want %s, got %s", at, compact(want), compact(got))}
}

// compact is a value on one line.
func compact(v any) string {
	if s, ok := v.(string); ok && !strings.ContainsAny(s, " \n\"") && s != "" {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// WriteResults prints a line for each case, what differs below it, and the sum. dir is put before the names of files.
func WriteResults(w io.Writer, dir string, results []Result) error {
	failed := 0
	for _, r := range results {
		if r.OK {
			fmt.Fprintf(w, "ok    %s: %s\n", r.Integration, r.Case)
			continue
		}
		failed++
		fmt.Fprintf(w, "FAIL  %s: %s\n      %s%s:%d\n", r.Integration, r.Case, dir, r.File, r.Line)
		for _, d := range r.Diff {
			fmt.Fprintf(w, "        %s\n", d)
		}
	}
	_, err := fmt.Fprintf(w, "%d passed, %d failed\n", len(results)-failed, failed)
	return err
}
