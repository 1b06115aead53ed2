package review

import (
	_ "embed"
	"html/template"
	"io"
	"strings"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"state":     func(r *Report, s *Subject) string { return r.state(s) },
	"about":     func(r *Report, s *Subject) []Finding { return r.About(s.On) },
	"general":   func(r *Report) []Finding { return r.general() },
	"verdict":   func(r *Report) string { return r.verdict() },
	"perSecond": perSecond,
	"trim":      trim,
	"join":      func(says []string) string { return strings.Join(says, " ") },
	"pair":      func(r *Report, list []Subject) map[string]any { return map[string]any{"R": r, "List": list} },
	"ptr":       func(s Subject) *Subject { return &s },
}).Parse(pageText))

// HTML writes the report as one page that loads nothing from elsewhere.
func (r *Report) HTML(w io.Writer) error { return page.Execute(w, r) }
