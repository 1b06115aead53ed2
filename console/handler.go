package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
)

// Handler serves:
//
//	GET /                    the page; /?order=ID shows an order, /?state=parked lists those that are parked
//	GET /orders/{key...}     an order (customer, item) as JSON, or as text for "Accept: text/plain"; 404 when unknown
//	GET /disagreements       open disagreements; ?all=true for closed ones too
//	GET /summary             counts of everything
func Handler(view *reconcile.View) http.Handler {
	c := &console{view: view}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", c.page)
	mux.HandleFunc("GET /orders/{key...}", c.order)
	mux.HandleFunc("GET /disagreements", c.disagreements)
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
	key := r.PathValue("key")
	o, ok := c.view.Order(key)
	text := wantsText(r.Header.Get("Accept"))
	w.Header().Set("Vary", "Accept")
	switch {
	case !ok && text:
		fresh := c.view.Freshness()
		http.Error(w, fmt.Sprintf("nothing is known of %q; %s", key, fresh.String()), http.StatusNotFound)
	case !ok:
		writeJSON(w, http.StatusNotFound, fault{fmt.Sprintf("nothing is known of %q", key), c.view.Freshness()})
	case text:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_ = o.Write(w) // the client is gone
	default:
		writeJSON(w, http.StatusOK, o)
	}
}

func (c *console) disagreements(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, struct {
		Disagreements []reconcile.Disagreement `json:"disagreements"`
		Freshness     reconcile.Freshness      `json:"freshness"`
	}{c.view.Disagreements(r.URL.Query().Get("all") != "true"), c.view.Freshness()})
}

func (c *console) summary(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, c.view.Summary())
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
