package reconcile

import "github.com/binaryandbeyond/seam/schemas"

// WithoutPersonal is a copy of a parked record for those who see no personal value: without the event's bytes and headers,
// and with the details of answers masked.
func WithoutPersonal(p *schemas.ParkedRecord) *schemas.ParkedRecord {
	c := *p
	c.Value, c.Headers, c.Detail = nil, nil, schemas.MaskText(p.Detail)
	c.Attempts = maskAttempts(p.Attempts)
	return &c
}
