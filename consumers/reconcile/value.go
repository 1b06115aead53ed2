package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unique"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/schemas"
)

// personal lists the fields whose values are never kept.
var personal = map[schemas.Field]bool{
	"order.email":            true,
	"order.phone":            true,
	"order.note":             true,
	"order.shipping_address": true,
	"order.billing_address":  true,
	"order.enrichment":       true, // written from notes
	"customer.email":         true,
	"customer.name":          true,
	"customer.phone":         true,
	"customer.address":       true,
}

// value is what a field was said to be: its text, or for a personal one a mask and the hash of its whole.
type value struct {
	shown unique.Handle[string] // the same texts come again and again
	hash  [16]byte              // zero for what is not personal
}

func newValue(field schemas.Field, text string) value {
	if !personal[field] {
		return value{shown: unique.Make(text)}
	}
	sum := sha256.Sum256([]byte(schemas.Form(field, text)))
	return value{shown: unique.Make(schemas.Mask(text) + " #" + hex.EncodeToString(sum[:2])), hash: [16]byte(sum[:16])}
}

// text is the value for people; of two personal ones that differ, the marks after # tell so.
func (v value) text() string { return v.shown.Value() }

func (v value) equal(w value) bool {
	if v.hash != ([16]byte{}) || w.hash != ([16]byte{}) {
		return v.hash == w.hash
	}
	return v.shown == w.shown
}

// amount reads "12.50 EUR" and "7"; ok is false for all else and for what is personal.
func (v value) amount() (n decimal.Decimal, unit string, ok bool) {
	if v.hash != ([16]byte{}) {
		return n, "", false
	}
	number, unit, _ := strings.Cut(v.text(), " ")
	n, err := decimal.NewFromString(number)
	return n, unit, err == nil
}
