package schemas

import (
	"context"
	"time"
)

// Contract is the shape of what a source sends or a downstream answers, as one process has seen it: the value of the
// contracts topic, keyed subject/instance. Package contract reads and writes it.
type Contract struct {
	Subject   string // source/<name>/<topic> or integration/<name>/<route>
	Side      string // source or integration
	Name      string // of the source or integration
	Topic     string // the platform's topic or event type; the route's operation
	Instance  string
	Team      string
	Declared  string // file or learned; empty while it is learned
	Documents int64  // looked at
	Passed    int64  // that came, looked at or not
	Crowded   int64  // values at paths beyond the bound
	First     time.Time
	Last      time.Time
	Paths     []ContractPath // by path
	Baseline  []ContractRule // by path
	Statuses  []ContractStatus
	Drifts    []ContractDrift
	At        time.Time
}

// ContractPath is what was seen at one path of the documents.
type ContractPath struct {
	Path    string // line_items[].price
	Types   string // null|string, sorted
	Present int64  // values other than null
	Absent  int64  // objects that could have held it and did not, or held null
	Values  []string
	Open    bool // the values are no short list of words
	First   time.Time
	Last    time.Time
}

// ContractRule is what is expected at one path.
type ContractRule struct {
	Path     string
	Types    string   // null|string, sorted; empty: any
	Required bool     // never missing and never null
	Values   []string // sorted; nil: any text
}

// ContractStatus counts one HTTP status of a downstream.
type ContractStatus struct {
	Status   int64
	Declared bool // the integration's answers, or HTTP itself, say what it means
	Count    int64
	First    time.Time
	Last     time.Time
}

// ContractDrift is one thing that was not as expected.
type ContractDrift struct {
	Kind  string // new, missing, type, value, status
	Path  string // empty of a status
	Seen  string // the type, word or status
	Count int64  // documents, of those looked at
	Since time.Time
	Last  time.Time
}

// EncodeContract gives the bytes of a shape.
func (s *Serde) EncodeContract(ctx context.Context, subject string, c *Contract) ([]byte, error) {
	return encode(ctx, s, subject, "contract", c)
}

// DecodeContract reads a shape; errors as DecodeEvent.
func (s *Serde) DecodeContract(ctx context.Context, b []byte) (*Contract, error) {
	return decode[Contract](ctx, s, "contract", b)
}
