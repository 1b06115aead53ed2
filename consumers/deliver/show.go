package deliver

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"github.com/binaryandbeyond/seam/topology"
)

// Shown is a request as Deliver would make it, for people and tests. It holds no secret: of what authenticates it, "***" is
// left.
type Shown struct {
	Method  string   `json:"method"`            // of a file: "APPEND"
	URL     string   `json:"url"`               // of a file: its path
	Headers []Header `json:"headers,omitempty"` // in the order they are sent; of a row, its columns
	Body    []byte   `json:"-"`                 // JSON; nil for a row and for methods without a body
	Key     string   `json:"idempotency_key"`   // the same for every attempt, whether or not a header carries it
}

// Header is one line of a request's head, or one column of a row.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Show is the request that Deliver would make, without making it. Its error is why the event does not fill the request: an
// Unmappable Result's Detail.
func (s Set) Show(r Request) (*Shown, error) {
	if r.Route.File != nil {
		return showRow(r)
	}
	return s["http"].(*httpKind).show(r)
}

// show builds the message as Deliver does, and masks what authenticates it.
func (k *httpKind) show(r Request) (*Shown, error) {
	scope := topology.ScopeOf(r.Event, r.Key).WithFacts(r.Facts)
	body, err := r.Route.Body.AppendJSON(nil, scope, r.Route.Required)
	if err != nil {
		return nil, err
	}
	call, err := k.call(r.Route)
	if err != nil {
		return nil, err
	}
	to, err := addressed(call.address, scope)
	if err != nil {
		return nil, err
	}
	fields, err := k.fields(r, call, to)
	if err != nil {
		return nil, err
	}
	out := &Shown{Method: r.Route.HTTP.Method, URL: k.mask.Load().Replace(to.Redacted()), Key: r.Key}
	if out.Method != http.MethodGet && out.Method != http.MethodHead {
		out.Body = body
	}
	if call.tokens != nil {
		fields = append(fields, field{"Authorization", "Bearer ***"})
	}
	if k.in.Sign != nil {
		fields = k.signed(fields, r, nil)
		for i := range fields[len(fields)-2:] {
			fields[len(fields)-1-i].value = "***" // of when it is sent
		}
	}
	for _, f := range slices.Concat(call.fields, fields) {
		value := k.mask.Load().Replace(f.value)
		if auth := r.Route.HTTP.Auth; strings.EqualFold(f.name, "Authorization") || auth.Header != "" && strings.EqualFold(f.name, auth.Header) {
			value = hidden(f.value)
		}
		out.Headers = append(out.Headers, Header{f.name, value})
	}
	return out, nil
}

// hidden keeps the scheme of a credential: "Bearer ***".
func hidden(credential string) string {
	if scheme, _, ok := strings.Cut(credential, " "); ok {
		return scheme + " ***"
	}
	return "***"
}

// showRow is the row of a file.
func showRow(r Request) (*Shown, error) {
	header, row, err := rowOf(r)
	if err != nil {
		return nil, err
	}
	out := &Shown{Method: "APPEND", URL: pathOf(r), Key: r.Key}
	for i, name := range header {
		out.Headers = append(out.Headers, Header{name, row[i]})
	}
	return out, nil
}

// pathOf is the file that takes a request's row.
func pathOf(r Request) string {
	return filepath.Join(r.Route.File.Dir, r.Event.Time.UTC().Format("2006-01-02"), fmt.Sprintf("%s-%d.csv", r.Topic, r.Partition))
}

// rowOf is a request's row with its header; its error is of an event that does not fill it.
func rowOf(r Request) (header, row []string, err error) {
	members, err := r.Route.Body.Eval(topology.ScopeOf(r.Event, r.Key).WithFacts(r.Facts), r.Route.Required)
	if err != nil {
		return nil, nil, err
	}
	header, row = []string{"idempotency_key"}, []string{r.Key}
	for _, name := range r.Route.Body.Names() {
		cell := ""
		if members[name] != nil {
			cell = strings.Join(strings.Fields(fmt.Sprint(members[name])), " ") // one row is one line
		}
		header, row = append(header, name), append(row, cell)
	}
	return header, row, nil
}
