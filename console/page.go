package console

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
)

//go:embed page.html
var pageHTML string

var page = template.Must(template.New("page").Parse(pageHTML))

// maxListed is how many orders and disagreements the page shows.
const maxListed = 100

// shown is what the page is made of.
type shown struct {
	Key       string // what was searched for
	Order     *reconcile.Order
	Text      string // of Order
	State     reconcile.State
	States    []reconcile.State
	Orders    []*reconcile.Order
	More      int // orders beyond those listed
	Open      []reconcile.Disagreement
	MoreOpen  int
	Summary   reconcile.Summary
	Freshness string
}

func (c *console) page(w http.ResponseWriter, r *http.Request) {
	p := shown{Key: strings.TrimSpace(r.URL.Query().Get("order")), States: reconcile.States, Summary: c.view.Summary()}
	p.Freshness = p.Summary.Freshness.String()
	status := http.StatusOK
	switch state := reconcile.State(r.URL.Query().Get("state")); {
	case p.Key != "":
		if o, ok := c.view.Order(p.Key); ok {
			var text strings.Builder
			_ = o.Write(&text) // a Builder never fails
			p.Order, p.Text = o, text.String()
		} else {
			status = http.StatusNotFound
		}
	case slices.Contains(reconcile.States, state):
		p.State = state
		p.Orders, p.More = first(c.view.Orders(state))
	default:
		p.Open, p.MoreOpen = first(c.view.Disagreements(true))
	}
	var out bytes.Buffer
	if err := page.Execute(&out, p); err != nil {
		http.Error(w, "the page cannot be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // the client is gone
}

// first cuts a list to what the page shows, and counts the rest.
func first[T any](list []T) (shown []T, more int) {
	if len(list) <= maxListed {
		return list, 0
	}
	return list[:maxListed], len(list) - maxListed
}
