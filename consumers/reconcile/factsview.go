package reconcile

import (
	"context"
	"fmt"

	"github.com/binaryandbeyond/seam/schemas"
)

// Facts gives the facts of an order, of its customer and of the stock of its lines, as a query wants them, and whether they
// may be used. The key is an order's id. ErrNotFound when nothing is known of the order, ErrBadQuery for a query that cannot
// be answered; else an error is the database's.
func (v *View) Facts(ctx context.Context, key string, q FactsQuery) (*Facts, error) {
	fresh := v.Freshness()
	h := Held{KnownAt: fresh.CaughtUpAt, AskedAt: v.now().UTC()}
	err := v.hold(ctx, key, &h)
	if err != nil {
		return nil, fmt.Errorf("facts of %s: %w", key, err)
	}
	f, err := FactsOf(v.topo, h, q)
	if err != nil {
		return nil, err
	}
	f.Freshness = fresh
	return f, nil
}

// hold reads the folds that tell of an order.
func (v *View) hold(ctx context.Context, key string, h *Held) (err error) {
	for _, s := range subjects(key) {
		if s.topic == schemas.TopicOrders && h.Order == nil {
			if h.Order, err = v.fold(ctx, s); err != nil {
				return err
			}
		}
	}
	if h.Order == nil {
		return ErrNotFound
	}
	if id := h.Order.customer(); id != "" {
		if h.Customer, err = v.fold(ctx, subject{schemas.TopicCustomers, id}); err != nil {
			return err
		}
	}
	for _, sku := range h.Order.skus() {
		keys, err := v.named(ctx, schemas.TopicInventory, refSKU, sku)
		if err != nil {
			return err
		}
		for _, key := range keys {
			item, err := v.fold(ctx, subject{schemas.TopicInventory, key})
			if err != nil {
				return err
			}
			if item != nil {
				h.Stock = append(h.Stock, item)
			}
		}
	}
	return nil
}

// named is the keys of a topic that have another name, sorted.
func (v *View) named(ctx context.Context, topic, kind, value string) ([]string, error) {
	rows, err := v.db.QueryContext(ctx, v.db.bind("SELECT key FROM lookups WHERE kind = ? AND value = ? AND topic = ? ORDER BY key"), kind, sqlText(value), topic)
	if err != nil {
		return nil, fmt.Errorf("find %s by %s: %w", topic, kind, err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, fmt.Errorf("find %s by %s: %w", topic, kind, err)
		}
		out = append(out, key)
	}
	return out, rows.Err()
}
