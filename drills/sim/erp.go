package sim

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// erp keeps orders by our id, and four times an hour writes a file of what it believes, which is not what it was told
// last: the batch lags by one run.
type erp struct {
	*System
	w      *World
	orders map[string]*ERPOrder
	last   map[string]ERPOrder // what it believed at the batch before
	told   map[string]string   // version of each order in the last file
	n      int
	batch  sync.Mutex
}

// ERPOrder is an order as the ERP has it.
type ERPOrder struct {
	ExternalID, Number, Status, PaymentStatus string
	Amount, Currency, Version                 string
	ChangedAt                                 string            // by its own clock, UTC: "2026-11-23 08:15:00.123456"
	Refunds                                   map[string]string // id to amount and currency
	Writes                                    int               // requests that changed it
	sent                                      string            // the request as it came, to know a repeated one
}

// BatchEvery is the pause between two ERP files, in the story's time.
const BatchEvery = 15 * time.Minute

// batchHead is the first row of the file. What the ERP was never told (customer, tax, fulfillment) stays empty.
var batchHead = []string{"order_id", "order_number", "customer_id", "status", "payment_status", "fulfillment_status", "total", "tax", "currency", "updated_at"}

func newERP(w *World, s *System) *erp {
	e := &erp{System: s, w: w, orders: map[string]*ERPOrder{}, last: map[string]ERPOrder{}, told: map[string]string{}}
	s.route("PUT /v1/orders/{id}", e.put)
	s.route("PATCH /v1/orders/{id}", e.patch)
	s.route("GET /v1/orders/{id}", e.get)
	s.route("PUT /v1/orders/{id}/refunds/{refund}", e.refund)
	return e
}

// ERPOrders is what the ERP has of every order, by our id.
func (w *World) ERPOrders() map[string]ERPOrder {
	w.erp.mu.Lock()
	defer w.erp.mu.Unlock()
	out := make(map[string]ERPOrder, len(w.erp.orders))
	for id, o := range w.erp.orders {
		out[id] = o.clone()
	}
	return out
}

// amount is money in a request.
type amount struct {
	Amount   json.Number `json:"amount"`
	Currency string      `json:"currency"`
}

// check refuses money that is none.
func (a *amount) check(field string) (answer, bool) {
	if a == nil || a.Amount == "" || len(a.Currency) != 3 {
		return problem(http.StatusUnprocessableEntity, "%s: an amount and a currency of three letters are required", field), false
	}
	return answer{}, true
}

func (e *erp) put(r *http.Request, body []byte) answer {
	var in struct {
		ExternalID    string          `json:"external_id"`
		Number        string          `json:"number"`
		Status        string          `json:"status"`
		PaymentStatus string          `json:"payment_status"`
		Total         *amount         `json:"total"`
		Lines         json.RawMessage `json:"lines"`
		Version       string          `json:"version"`
	}
	if ans, ok := decode(body, &in); !ok {
		return ans
	}
	id := r.PathValue("id")
	if in.ExternalID != "" && in.ExternalID != id {
		return problem(http.StatusUnprocessableEntity, "external_id %q is not the id of the path", in.ExternalID)
	}
	o, known := e.orders[id]
	if !known {
		if ans, ok := in.Total.check("total"); !ok {
			return ans
		}
		o = &ERPOrder{ExternalID: id, Refunds: map[string]string{}}
		e.orders[id] = o
		e.effect(id, "order")
	}
	if o.sent == string(body) {
		return answer{http.StatusOK, o.view()}
	}
	o.Number, o.Status, o.PaymentStatus, o.Version, o.sent = pick(in.Number, o.Number), pick(in.Status, o.Status), pick(in.PaymentStatus, o.PaymentStatus), pick(in.Version, o.Version), string(body)
	if in.Total != nil {
		o.Amount, o.Currency = in.Total.Amount.String(), in.Total.Currency
	}
	o.ChangedAt = e.now().Add(e.skew).UTC().Format("2006-01-02 15:04:05.000000")
	o.Writes++
	if known {
		e.effect(id, "update")
		return answer{http.StatusOK, o.view()}
	}
	return answer{http.StatusCreated, o.view()}
}

// patch changes what a request names of an order that is known, and nothing else. The same values again change nothing.
func (e *erp) patch(r *http.Request, body []byte) answer {
	var in struct {
		Status        string  `json:"status"`
		PaymentStatus string  `json:"payment_status"`
		Total         *amount `json:"total"`
	}
	if ans, ok := decode(body, &in); !ok {
		return ans
	}
	o := e.orders[r.PathValue("id")]
	if o == nil {
		return problem(http.StatusNotFound, "no order %s to correct", r.PathValue("id"))
	}
	next := o.clone()
	next.Status, next.PaymentStatus = pick(in.Status, o.Status), pick(in.PaymentStatus, o.PaymentStatus)
	if in.Total != nil {
		next.Amount, next.Currency = in.Total.Amount.String(), in.Total.Currency
	}
	if next.Status == o.Status && next.PaymentStatus == o.PaymentStatus && next.Amount == o.Amount && next.Currency == o.Currency {
		return answer{http.StatusOK, o.view()}
	}
	next.ChangedAt = e.now().Add(e.skew).UTC().Format("2006-01-02 15:04:05.000000")
	next.Writes++
	next.sent = "" // a whole state that comes again is a change again
	*o = next
	e.effect(o.ExternalID, "correct")
	return answer{http.StatusOK, o.view()}
}

func (e *erp) get(r *http.Request, _ []byte) answer {
	if o := e.orders[r.PathValue("id")]; o != nil {
		return answer{http.StatusOK, o.view()}
	}
	return problem(http.StatusNotFound, "no order %s", r.PathValue("id"))
}

func (e *erp) refund(r *http.Request, body []byte) answer {
	var in struct {
		Amount *amount `json:"amount"`
	}
	if ans, ok := decode(body, &in); !ok {
		return ans
	}
	o, id := e.orders[r.PathValue("id")], r.PathValue("refund")
	if o == nil {
		return problem(http.StatusNotFound, "no order %s to refund", r.PathValue("id"))
	}
	if ans, ok := in.Amount.check("amount"); !ok {
		return ans
	}
	text := in.Amount.Amount.String() + " " + in.Amount.Currency
	had, known := o.Refunds[id]
	if had != text {
		o.Refunds[id] = text
		o.Writes++
		e.effect(o.ExternalID, "refund/"+id)
	}
	status := http.StatusOK
	if !known {
		status = http.StatusCreated
	}
	return answer{status, map[string]any{"id": id, "order": o.ExternalID}}
}

// run writes a batch whenever it is time.
func (e *erp) run(ctx context.Context) error {
	tick := time.NewTicker(e.w.scaled(BatchEvery))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if _, _, err := e.w.ERPBatch(); err != nil {
				return err
			}
		}
	}
}

// ERPBatch writes the ERP's file now, as its timetable does: one row per order whose belief changed since the last
// file, as it was at the batch before. It gives the path (empty when there is nothing to tell) and the number of rows.
func (w *World) ERPBatch() (path string, rows int, err error) {
	e := w.erp
	e.batch.Lock()
	defer e.batch.Unlock()
	table := e.rows()
	if len(table) == 0 {
		return "", 0, nil
	}
	e.n++
	path = filepath.Join(w.cfg.ERPDir, fmt.Sprintf("orders_%s_%03d.csv", w.cfg.Now().UTC().Format("20060102T150405"), e.n))
	var text strings.Builder
	c := csv.NewWriter(&text)
	if err := c.WriteAll(append([][]string{batchHead}, table...)); err != nil {
		return "", 0, fmt.Errorf("erp batch %s: %w", path, err)
	}
	if err := os.MkdirAll(w.cfg.ERPDir, 0o755); err != nil {
		return "", 0, fmt.Errorf("erp batch: %w", err)
	}
	if err := os.WriteFile(path+".tmp", []byte(text.String()), 0o644); err != nil {
		return "", 0, fmt.Errorf("erp batch: %w", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return "", 0, fmt.Errorf("erp batch: %w", err)
	}
	return path, len(table), nil
}

// rows are the beliefs of the batch before that the ERP has not told yet, and then it takes note of today's.
func (e *erp) rows() [][]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out [][]string
	for id, o := range e.last {
		if e.told[id] == o.Version+o.ChangedAt {
			continue
		}
		e.told[id] = o.Version + o.ChangedAt
		out = append(out, []string{id, o.Number, "", o.Status, o.PaymentStatus, "", o.Amount, "", o.Currency, o.ChangedAt})
	}
	slices.SortFunc(out, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	for id, o := range e.orders {
		e.last[id] = o.clone()
	}
	return out
}

func (o *ERPOrder) clone() ERPOrder {
	c := *o
	c.Refunds = make(map[string]string, len(o.Refunds))
	for k, v := range o.Refunds {
		c.Refunds[k] = v
	}
	return c
}

func (o *ERPOrder) view() map[string]any {
	return map[string]any{"id": o.ExternalID, "number": o.Number, "status": o.Status, "payment_status": o.PaymentStatus, "version": o.Version}
}

// pick is the new text, or the old one where nothing new is said.
func pick(said, had string) string {
	if said != "" {
		return said
	}
	return had
}
