package producers

import (
	"net/http"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// ParseEvent is the event that Seam's own event JSON comes to (standardwebhooks.go says its form), as if source had delivered
// it under the id, which decides the event's own; received is our clock. It checks no signature and does no I/O. Its error
// names the member that is at fault and the mend.
func ParseEvent(source *topology.Source, id string, body []byte, received time.Time) (*schemas.Event, error) {
	d := &delivery{source: source, header: http.Header{"Webhook-Id": {id}}, body: body, received: received}
	p := platforms[topology.StandardWebhooks]
	r := p.read(d)
	if len(r.rejects) > 0 {
		return nil, r.rejects[0].fault
	}
	return r.events[0], nil
}
