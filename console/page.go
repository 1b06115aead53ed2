package console

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
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
	Orders    []reconcile.Listed
	More      int // orders beyond those listed
	Open      []reconcile.Disagreement
	MoreOpen  int
	Summary   reconcile.Summary
	Freshness string
}

func (c *console) page(w http.ResponseWriter, r *http.Request) {
	p := shown{Key: strings.TrimSpace(r.URL.Query().Get("order")), States: reconcile.States}
	status, err := c.fill(r.Context(), &p, reconcile.State(r.URL.Query().Get("state")))
	if err != nil {
		c.unable(w, err)
		return
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

// fill asks the view for what the page shows, and says the page's status.
func (c *console) fill(ctx context.Context, p *shown, state reconcile.State) (status int, err error) {
	if p.Summary, err = c.view.Summary(ctx); err != nil {
		return 0, err
	}
	p.Freshness = p.Summary.Freshness.String()
	switch {
	case p.Key != "":
		o, err := c.view.Order(ctx, p.Key)
		if errors.Is(err, reconcile.ErrNotFound) {
			return http.StatusNotFound, nil
		}
		if err != nil {
			return 0, err
		}
		var text strings.Builder
		_ = o.Write(&text) // a Builder never fails
		p.Order, p.Text = o, text.String()
	case slices.Contains(reconcile.States, state):
		p.State = state
		p.Orders, p.More, err = c.view.Orders(ctx, maxListed, state)
		p.More -= len(p.Orders)
	default:
		p.Open, p.MoreOpen, err = c.view.Disagreements(ctx, true, maxListed)
		p.MoreOpen -= len(p.Open)
	}
	return http.StatusOK, err
}
