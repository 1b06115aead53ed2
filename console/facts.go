package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/topology"
)

// factsKey is the key in /orders/{key}/facts; false for another path. A key may hold slashes. One that itself ends in /facts
// is asked for with its slashes escaped (%2F).
func factsKey(u *url.URL) (string, bool) {
	path, ok := strings.CutSuffix(strings.TrimPrefix(u.EscapedPath(), "/orders/"), "/facts")
	if !ok || path == "" {
		return "", false
	}
	key, err := url.PathUnescape(path)
	return key, err == nil
}

// facts answers 200 with facts that may be used, and 409 with the same JSON, its values left out, where a refusal forbids
// it: who looks at the status alone decides by nothing that was refused, and 409 is what a later try may find otherwise.
// 400 for a query that cannot be answered, 404 for an unknown order.
//
// for is the integration whose policy decides; fields (names and patterns, commas between), max_staleness (30s, 15m, 35d)
// and on_disagreement (refuse, flag) narrow it, and without for they stand alone.
func (c *console) facts(w http.ResponseWriter, r *http.Request, key string) {
	q, err := factsQuery(r.URL.Query())
	var f *reconcile.Facts
	if err == nil {
		f, err = c.view.Facts(r.Context(), key, q)
	}
	switch {
	case errors.Is(err, reconcile.ErrBadQuery):
		writeJSON(w, http.StatusBadRequest, fault{err.Error(), c.view.Freshness()})
	case errors.Is(err, reconcile.ErrNotFound):
		writeJSON(w, http.StatusNotFound, fault{fmt.Sprintf("nothing is known of %q", key), c.view.Freshness()})
	case err != nil:
		c.unable(w, err)
	case !f.Usable:
		writeJSON(w, http.StatusConflict, f)
	default:
		writeJSON(w, http.StatusOK, f)
	}
}

// factsQuery reads the parameters; ErrBadQuery for one that is unknown, given twice or wrong.
func factsQuery(values url.Values) (reconcile.FactsQuery, error) {
	var q reconcile.FactsQuery
	for name, given := range values {
		if len(given) != 1 || given[0] == "" {
			return q, fmt.Errorf("%w: give %s once, with a value", reconcile.ErrBadQuery, name)
		}
		switch name {
		case "for":
			q.For = given[0]
		case "fields":
			q.Fields = strings.Split(given[0], ",")
		case "max_staleness":
			d, err := topology.ParseDuration(given[0])
			if err != nil || d == 0 {
				return q, fmt.Errorf("%w: max_staleness is %q: write 30s, 15m, 2h or 35d", reconcile.ErrBadQuery, given[0])
			}
			q.MaxStaleness = d
		case "on_disagreement":
			q.OnDisagreement = given[0]
		default:
			return q, fmt.Errorf("%w: unknown parameter %q: for, fields, max_staleness or on_disagreement", reconcile.ErrBadQuery, name)
		}
	}
	return q, nil
}
