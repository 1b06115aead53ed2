package sim

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// warehouse is a 3PL: it knows a request by its key, not by its reference, so a new key makes a second parcel.
type warehouse struct {
	*System
	w      *World
	orders map[string][]*fulfillment // by reference
	n      int
}

// fulfillment is one parcel.
type fulfillment struct {
	ID        string          `json:"id"`
	Reference string          `json:"reference"`
	Status    string          `json:"status"` // accepted, shipped, cancelled
	UpdatedAt string          `json:"updated_at"`
	lines     []warehouseLine // as asked for
}

type warehouseLine struct {
	LineID   string `json:"line_id"`
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// A parcel leaves between these after it was asked for, in the story's time.
const (
	shipsAfter  = 4 * time.Minute
	shipsWithin = 8 * time.Minute
	shopHears   = 2 * time.Minute // after that, by the warehouse's own app
)

func newWarehouse(w *World, s *System) {
	wh := &warehouse{System: s, w: w, orders: map[string][]*fulfillment{}}
	s.route("POST /v1/fulfillments", wh.fulfill)
	s.route("GET /v1/fulfillments", wh.list)
	s.route("POST /v1/cancellations", wh.cancel)
	s.route("POST /v1/corrections", wh.correct)
}

func (wh *warehouse) fulfill(r *http.Request, body []byte) answer {
	return wh.once(r, body, func() answer {
		var in struct {
			Reference string          `json:"reference"`
			Lines     []warehouseLine `json:"lines"`
			ShipTo    map[string]any  `json:"ship_to"`
		}
		if ans, ok := decode(body, &in); !ok {
			return ans
		}
		if in.Reference == "" || len(in.Lines) == 0 {
			return problem(http.StatusUnprocessableEntity, "reference and at least one line are required")
		}
		for _, l := range in.Lines {
			if l.SKU == "" || l.Quantity <= 0 {
				return problem(http.StatusUnprocessableEntity, "line %s: sku and a quantity above 0 are required", l.LineID)
			}
		}
		wh.n++
		f := &fulfillment{ID: fmt.Sprintf("ful_%06d", wh.n), Reference: in.Reference, Status: "accepted", UpdatedAt: wh.clock(), lines: in.Lines}
		wh.orders[in.Reference] = append(wh.orders[in.Reference], f)
		wh.effect(in.Reference, "fulfill")
		wh.ship(f)
		return answer{http.StatusCreated, *f}
	})
}

// ship sends the parcel off after a while, unless it was cancelled, and tells.
func (wh *warehouse) ship(f *fulfillment) {
	r := wh.w.rand("ship/" + f.Reference)
	d := shipsAfter + time.Duration(r.Int64N(int64(shipsWithin-shipsAfter)))
	number := fmt.Sprintf("1Z%010d", r.Int64N(1e10))
	wh.w.due.after(time.Duration(float64(d)*wh.w.cfg.Scale), func(context.Context) {
		wh.mu.Lock()
		if f.Status != "accepted" {
			wh.mu.Unlock()
			return
		}
		f.Status = "shipped"
		at := wh.clock()
		f.UpdatedAt = at
		wh.mu.Unlock()
		wh.w.due.after(wh.w.scaled(shopHears), func(context.Context) { wh.w.shop.shipped(f.Reference) })
		wh.w.tell(wh.System, "warehouse", "fulfillment.shipped", f.Reference, 0, func() map[string]any {
			lines := make([]map[string]any, len(f.lines))
			for i, l := range f.lines {
				lines[i] = map[string]any{"id": l.LineID, "sku": l.SKU, "quantity": l.Quantity}
			}
			return map[string]any{
				"order_id": f.Reference, "version": at,
				"fulfillment": map[string]any{
					"id": f.ID, "status": "success", "tracking_company": "Post", "tracking_number": number,
					"created_at": at, "lines": lines,
				},
				"order": map[string]any{"id": f.Reference, "fulfillment_status": "fulfilled"},
			}
		})
	})
}

func (wh *warehouse) list(r *http.Request, _ []byte) answer {
	found := wh.orders[r.URL.Query().Get("reference")]
	if len(found) == 0 {
		return problem(http.StatusNotFound, "no fulfillment with this reference")
	}
	out := make([]fulfillment, len(found))
	for i, f := range found {
		out[i] = *f
	}
	return answer{http.StatusOK, map[string]any{"fulfillments": out}}
}

func (wh *warehouse) cancel(r *http.Request, body []byte) answer {
	return wh.once(r, body, func() answer {
		var in struct {
			Reference string `json:"reference"`
			Reason    string `json:"reason"`
		}
		if ans, ok := decode(body, &in); !ok {
			return ans
		}
		found := wh.orders[in.Reference]
		if len(found) == 0 {
			return problem(http.StatusNotFound, "no fulfillment with the reference %q", in.Reference)
		}
		for _, f := range found {
			if f.Status == "shipped" {
				return problem(http.StatusConflict, "%s has left the house", f.ID)
			}
		}
		for _, f := range found {
			f.Status, f.UpdatedAt = "cancelled", wh.clock()
		}
		wh.effect(in.Reference, "cancel")
		return answer{http.StatusCreated, map[string]any{"reference": in.Reference, "status": "cancelled"}}
	})
}

// correct changes where a parcel goes that has not left.
func (wh *warehouse) correct(r *http.Request, body []byte) answer {
	return wh.once(r, body, func() answer {
		var in struct {
			Reference string         `json:"reference"`
			ShipTo    map[string]any `json:"ship_to"`
		}
		if ans, ok := decode(body, &in); !ok {
			return ans
		}
		found := wh.orders[in.Reference]
		if len(found) == 0 {
			return problem(http.StatusNotFound, "no fulfillment with the reference %q", in.Reference)
		}
		if len(in.ShipTo) == 0 {
			return problem(http.StatusUnprocessableEntity, "ship_to is required")
		}
		for _, f := range found {
			if f.Status == "shipped" {
				return problem(http.StatusConflict, "%s has left the house", f.ID)
			}
		}
		wh.effect(in.Reference, "correct")
		return answer{http.StatusOK, map[string]any{"reference": in.Reference, "status": found[0].Status}}
	})
}
