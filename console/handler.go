package console

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
)

// Handler serves:
//
//	GET /                    the page; /?order=ID shows an order, /?state=parked lists those that are parked
//	GET /orders/{key...}     an order (customer, item) as JSON, or as text for "Accept: text/plain"; 404 when unknown
//	GET /orders/{key}/facts  an order's facts for somebody who decides by them, as JSON: 409 where they may not be used
//	GET /orders?email=...    the orders and customers that have a name: customer, email (an address or its hash), number, payment
//	GET /disagreements       open disagreements; ?all=true for closed ones too
//	GET /totals?day=...      control totals of a business day (from=, to= for several), and the orders that explain differences
//	GET /sources             what each system's sources do: rhythm, clocks, silence
//	GET /summary             counts of everything
//
// 503 with Retry-After while the view's database does not answer.
func Handler(view *reconcile.View) http.Handler {
	c := &console{view: view}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", c.page)
	mux.HandleFunc("GET /orders/{key...}", c.order)
	mux.HandleFunc("GET /orders", c.find)
	mux.HandleFunc("GET /disagreements", c.disagreements)
	mux.HandleFunc("GET /totals", c.totals)
	mux.HandleFunc("GET /sources", c.sources)
	mux.HandleFunc("GET /summary", c.summary)
	return guard(mux)
}

type console struct{ view *reconcile.View }

// guard sets what every answer needs: nothing is cached, framed, sniffed or loaded from elsewhere.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

// fault is the JSON of an answer that is not 200.
type fault struct {
	Error     string              `json:"error"`
	Freshness reconcile.Freshness `json:"freshness"`
}

func (c *console) order(w http.ResponseWriter, r *http.Request) {
	if key, ok := factsKey(r.URL); ok {
		c.facts(w, r, key)
		return
	}
	key := r.PathValue("key")
	o, err := c.view.Order(r.Context(), key)
	unknown := errors.Is(err, reconcile.ErrNotFound)
	text := wantsText(r.Header.Get("Accept"))
	w.Header().Set("Vary", "Accept")
	switch {
	case unknown && text:
		fresh := c.view.Freshness()
		http.Error(w, fmt.Sprintf("nothing is known of %q; %s", key, fresh.String()), http.StatusNotFound)
	case unknown:
		writeJSON(w, http.StatusNotFound, fault{fmt.Sprintf("nothing is known of %q", key), c.view.Freshness()})
	case err != nil:
		c.unable(w, err)
	case text:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_ = o.Write(w) // the client is gone
	default:
		writeJSON(w, http.StatusOK, o)
	}
}

// maxFound is how many orders of one name are listed.
const maxFound = 100

// find answers by another name than the key: exactly one is given.
func (c *console) find(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if len(q) != 1 {
		writeJSON(w, http.StatusBadRequest, fault{"give one of " + strings.Join(reconcile.Names, ", "), c.view.Freshness()})
		return
	}
	for kind := range q {
		list, err := c.view.Find(r.Context(), kind, q.Get(kind), maxFound)
		switch {
		case errors.Is(err, reconcile.ErrUnknownName):
			writeJSON(w, http.StatusBadRequest, fault{err.Error(), c.view.Freshness()})
		case err != nil:
			c.unable(w, err)
		default:
			writeJSON(w, http.StatusOK, list)
		}
	}
}

// maxDisagreements is how many disagreements one answer lists.
const maxDisagreements = 10_000

func (c *console) disagreements(w http.ResponseWriter, r *http.Request) {
	list, all, err := c.view.Disagreements(r.Context(), r.URL.Query().Get("all") != "true", maxDisagreements)
	if err != nil {
		c.unable(w, err)
		return
	}
	writeJSON(w, http.StatusOK, struct {
		Disagreements []reconcile.Disagreement `json:"disagreements"`
		All           int                      `json:"all"` // how many there are, listed or not
		Freshness     reconcile.Freshness      `json:"freshness"`
	}{list, all, c.view.Freshness()})
}

func (c *console) totals(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	from, to := cmp.Or(q.Get("from"), q.Get("day")), cmp.Or(q.Get("to"), q.Get("day"))
	t, err := c.view.Totals(r.Context(), from, to)
	switch {
	case errors.Is(err, reconcile.ErrNoDay):
		writeJSON(w, http.StatusBadRequest, fault{err.Error(), c.view.Freshness()})
	case err != nil:
		c.unable(w, err)
	default:
		writeJSON(w, http.StatusOK, t)
	}
}

func (c *console) sources(w http.ResponseWriter, r *http.Request) {
	list, err := c.view.Sources(r.Context())
	if err != nil {
		c.unable(w, err)
		return
	}
	writeJSON(w, http.StatusOK, struct {
		Sources   []reconcile.Source  `json:"sources"`
		Freshness reconcile.Freshness `json:"freshness"`
	}{list, c.view.Freshness()})
}

func (c *console) summary(w http.ResponseWriter, r *http.Request) {
	s, err := c.view.Summary(r.Context())
	if err != nil {
		c.unable(w, err)
		return
	}
	writeJSON(w, http.StatusOK, s)
}

// unable answers when the database does not.
func (c *console) unable(w http.ResponseWriter, err error) {
	w.Header().Set("Retry-After", "5")
	writeJSON(w, http.StatusServiceUnavailable, fault{"the view cannot be read now: " + err.Error(), c.view.Freshness()})
}

// wantsText tells whether plain text stands before JSON in an Accept header.
func wantsText(accept string) bool {
	for kind := range strings.SplitSeq(accept, ",") {
		kind, _, _ = strings.Cut(kind, ";")
		switch strings.TrimSpace(kind) {
		case "text/plain":
			return true
		case "application/json", "*/*":
			return false
		}
	}
	return false
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // the client is gone
}
