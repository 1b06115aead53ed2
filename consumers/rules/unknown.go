package rules

import (
	"fmt"
	"time"

	"github.com/binaryandbeyond/seam/topology"
)

// Unrepeatable says why a call whose effect is unknown, and of which the first was made at a time or later, may not be made again
// at another; empty when it may, or when the downstream can be asked.
func Unrepeatable(in *topology.Integration, called, now time.Time) string {
	id := in.Idempotency
	switch {
	case id.None:
		return "a call was made and its effect is unknown; " + in.Name + " cannot be asked and would do it again"
	case id.Key != "" && id.Remembers > 0 && now.Add(in.Timeout.D()).Sub(called) >= id.Remembers.D(): // it may arrive as late as its timeout
		return fmt.Sprintf("a call was made at %s and its effect is unknown; %s forgets keys after %s and would do it again", called.UTC().Format(time.RFC3339), in.Name, id.Remembers.D())
	}
	return ""
}
