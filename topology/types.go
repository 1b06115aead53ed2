package topology

import (
	"slices"
	"time"

	"github.com/binaryandbeyond/seam/outbound"
	"github.com/binaryandbeyond/seam/schemas"
)

// Secret is a value that never shows: String, logs and YAML give "***". Reveal is for the one place that needs it.
type Secret string

// String is "***", or empty for the empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "***"
}

// GoString keeps %#v from showing the value.
func (s Secret) GoString() string { return s.String() }

// MarshalText keeps encoders from showing the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Topology is everything that must exist for Seam to run, read from one folder of YAML files by Load.
type Topology struct {
	Environment  string // of topics.yaml: "development", "production"
	Team         string // of topics.yaml: whose Kafka and Seam itself are; empty where nobody said
	Prefix       string // put before every topic, group and subject; empty for none
	Partitions   int32  // of every topic that is keyed by order; Kafka cannot change it later without moving orders
	Topics       []Topic
	Teams        map[string]Team
	Sources      []Source      // sorted by name
	Integrations []Integration // sorted by name
	Ownership    map[schemas.Field]Owner
	Operations   []Operation // sorted by name
	Money        Money
	Waivers      []Waiver
	Environments map[string]Environment // what each may reach; empty: all everything
	Access       *Access                // nil: access to Kafka is somebody else's to give
	Subscribers  []Subscriber           // other teams, sorted by name
	Contracts    []Contract             // sorted by name; there need be none
	Learn        int                    // documents of a topic from which its shape is learned where no contract says. Default 200
	TimeScale    float64                // every duration of the files was multiplied by this; 1 outside demos and drills

	written map[string]place // see Written
}

// Topic is one Kafka topic with Kafka's own setting names.
type Topic struct {
	Name       string
	Partitions int32
	Replicas   int16 // -1: the broker's default
	Configs    map[string]string
	Schema     string // .avsc of its values, registered under <topic>-value; empty for none
	name       string // without the prefix
}

// Team is who is asked and paged.
type Team struct {
	Name  string `yaml:"-"`
	Pager string `yaml:"pager"`
	Chat  string `yaml:"chat"`
	// Hours are when it answers: "24x7", or "mon-fri 08:00-18:00".
	Hours string `yaml:"hours"`
	// AfterHours is the team that is paged outside of Hours.
	AfterHours string `yaml:"after_hours"`
}

// Platform is the way a source speaks; each has one file in package producers.
type Platform string

// The platforms.
const (
	Shopify          Platform = "shopify"
	WooCommerce      Platform = "woocommerce"
	Stripe           Platform = "stripe"
	Adyen            Platform = "adyen"
	StandardWebhooks Platform = "standardwebhooks" // the generic one: Seam's own event JSON, signed by the Standard Webhooks scheme
	Files            Platform = "files"            // a watched folder of CSV and JSON
	Poll             Platform = "poll"             // a platform's API asked by updated_at
)

// Source is one upstream system: sources/<name>.yaml.
type Source struct {
	Name     string         `yaml:"name"`
	System   schemas.System `yaml:"system"` // whose opinion its events are; ownership.yaml's word
	Team     string         `yaml:"team"`
	Platform Platform       `yaml:"platform"`
	// Secrets sign deliveries; two at once while one is rotated. Webhook platforms need at least one.
	Secrets []Secret `yaml:"secrets"`
	// MaxBody is the largest body or file taken, in bytes; 413 beyond. Default 1 MiB (files: 64 MiB).
	MaxBody Bytes `yaml:"max_body"`
	// Limit bounds how many authentic deliveries it may have taken in.
	Limit EdgeLimits `yaml:"limit"`
	// AnswerWithin is how long a delivery may take here; 503 goes out a tenth before. Default by platform, and four
	// fifths of Patience at most.
	AnswerWithin Duration `yaml:"answer_within"`
	// Patience is how long the source waits for an answer before it takes the delivery for failed. Default by platform; of
	// standardwebhooks it must be said.
	Patience Duration `yaml:"patience"`
	// RetriesFor is how long the source repeats a delivery that was not taken; 0s never. Default by platform; of
	// standardwebhooks it must be said.
	RetriesFor Duration `yaml:"retries_for"`
	// Emits lists the types that its events have. Default by platform, and by files; a standardwebhooks source that does not
	// say may send any.
	Emits []schemas.EventType `yaml:"emits"`
	// Volume is how many events it sends; for reviews.
	Volume Volume `yaml:"volume"`
	// Tolerance is the greatest distance of a signed timestamp from our clock. Default 5m where the scheme has one.
	Tolerance Duration `yaml:"tolerance"`
	// Wait lets callers that send Prefer: wait=5 (RFC 7240) wait for outcomes. Default nil: they are answered as all others.
	Wait *Wait `yaml:"wait"`
	// Spool true keeps deliveries on local disk while Kafka is away: for sources that never retry.
	Spool bool `yaml:"spool"`
	// Every is how often a folder is looked at or an API asked. Default 1m.
	Every Duration `yaml:"every"`
	// SilentAfter is how long nothing may come from its system, whatever source brings it, before the team is told. Default
	// learned from two weeks.
	SilentAfter Duration `yaml:"silent_after"`
	// Overlap is how far before its last cursor a poll asks again. Default 5m.
	Overlap Duration `yaml:"overlap"`
	// URL is the API that a poll asks: it must answer {"orders":[...]} for ?updated_at_min=RFC3339&order=updated_at+asc&limit=N.
	URL string `yaml:"url"`
	// Token authenticates a poll.
	Token Secret `yaml:"token"`
	// Of is the webhook source (by name) whose missed deliveries a poll finds.
	Of string `yaml:"of"`
	// Dir is the folder a files source watches.
	Dir string `yaml:"dir"`
	// Files says how the files of Dir are read; the first that matches a file's name is used.
	Files []FileFormat `yaml:"files"`
	// Checks limits what its events may say, by member ("enrichment.category"); one that violates a check goes to quarantine.
	// Of sources that send webhooks. Default none.
	Checks map[string]Check `yaml:"checks"`
	// Mark (file:line) is where the source was read, for errors.
	Mark string `yaml:"-"`

	files     []*SecretFile // of Secrets, by index; nil for those that are fixed
	tokenFile *SecretFile
}

// Wait says whose outcomes a caller may wait for, once its event is durable. It holds nothing up but the caller.
type Wait struct {
	For    []string `yaml:"for"`     // integrations, by name
	AtMost Duration `yaml:"at_most"` // longest wait, whatever the caller prefers. Default 5s
	// Otherwise is the answer when the time is up: accepted (default) is 202 with a Location to ask at, unavailable 503 with
	// Retry-After. The event is taken either way, and a repetition is the same event.
	Otherwise string `yaml:"otherwise"`
}

// The values of Wait.Otherwise.
const (
	Accepted    = "accepted"
	Unavailable = "unavailable"
)

// FileFormat says how the rows of a kind of file become events. One row is one event.
type FileFormat struct {
	Match    string            `yaml:"match"`    // shell pattern of the file name: "orders_*.csv"
	Type     schemas.EventType `yaml:"type"`     // of every row, unless a Type column rule below decides
	Format   string            `yaml:"format"`   // csv (default by ending) or json (an array of objects, or an object a line)
	Currency string            `yaml:"currency"` // of money columns that name none
	Zone     string            `yaml:"zone"`     // IANA zone of times without one; default UTC
	Time     string            `yaml:"time"`     // Go layout of times that are not RFC 3339
	// Columns maps a model field ("order.total", "order.lines.0.sku", "subject", "time", "source_version") to a column name.
	Columns map[string]string `yaml:"columns"`
	// Set gives model fields a constant: {inventory.location_id: main}. A column that says otherwise wins.
	Set map[string]string `yaml:"set"`
	// Rules replace Type for rows whose column starts with a text: {column: InvoiceNo, prefix: C, type: invoice.cancelled}.
	Rules []FileRule `yaml:"rules"`
}

// FileRule gives rows another type by the text a column starts with.
type FileRule struct {
	Column string            `yaml:"column"`
	Prefix string            `yaml:"prefix"`
	Type   schemas.EventType `yaml:"type"`
	Set    map[string]string `yaml:"set"` // as FileFormat.Set, for these rows
}

// Idempotency is how a repeated call is kept harmless; exactly one of the four is declared.
type Idempotency struct {
	// Key is the header that carries a stable key; the downstream does a key's work once.
	Key string `yaml:"key"`
	// Remembers is how long the downstream knows a key. Required with Key. A call of unknown effect that is older, or will be
	// within Timeout, waits for a person.
	Remembers Duration `yaml:"remembers"`
	// Upsert true: the request names the record by our id, so that writing it twice is writing it once.
	Upsert bool `yaml:"upsert"`
	// Probe asks the downstream by our reference before a call of unknown effect is repeated: "GET <url>"; 2xx says it
	// is there, 404 that it is not.
	Probe string `yaml:"probe"`
	// Settles is how long after a call its effect may still come to be, whoever waits for the answer: a probe that finds
	// nothing before that is made again. For Probe only; default twice the timeout, and never less than the timeout.
	Settles Duration `yaml:"settles"`
	// None true: an intent is durable before the call, and an unknown effect is parked for a person.
	None bool `yaml:"none"`
}

// HTTPCall is one request to a downstream.
type HTTPCall struct {
	Method string `yaml:"method"`
	// URL may hold {expressions}: "${ERP_URL}/orders/{order.id}"; each value is escaped as one path segment.
	URL     string            `yaml:"url"`
	Headers map[string]string `yaml:"headers"`
	Auth    Auth              `yaml:"auth"`
}

// Auth is how a request is authenticated.
type Auth struct {
	Bearer Secret `yaml:"bearer"`
	Header string `yaml:"header"` // name of a header that carries Value, for API keys
	Value  Secret `yaml:"value"`
	// OAuth2 asks for tokens. Default nil: none are needed.
	OAuth2 *OAuth2 `yaml:"oauth2"`

	file *SecretFile // of Bearer, or else of Value; nil when that is fixed
}

// FileSink appends one CSV row per event to a file per day and partition; a row's first column is the idempotency key, so
// a repeated row is known.
type FileSink struct {
	Dir string `yaml:"dir"`
}

// Answers says what the downstream's statuses mean; a status in none of the lists is classed by HTTP's own meaning where
// that is unambiguous (429, 5xx, 401, 403) and is outside the contract otherwise.
type Answers struct {
	Delivered   []int `yaml:"delivered"`    // default [200, 201, 202, 204]
	AlreadyDone []int `yaml:"already_done"` // default none
	Rejected    []int `yaml:"rejected"`     // default [400, 404, 410, 413, 422]
	Retry       []int `yaml:"retry"`        // beside 408, 425, 429, 503
	// Problems says what the types of problem documents (RFC 9457) mean, before the status does: type URI to delivered,
	// already_done, rejected, retry or unknown.
	Problems  map[string]string `yaml:"problems"`
	Reference string            `yaml:"reference"` // dotted path of the downstream's id in its JSON answer
}

// Route is one kind of request of an integration.
type Route struct {
	On        []schemas.EventType `yaml:"on"`
	Operation string              `yaml:"operation"` // business step; default the integration's, of a route with Fields "correct"
	// Once true: the operation happens once per order, whatever the event ids.
	Once bool `yaml:"once"`
	// Each true: every event is a record of its own in the downstream, so an older state is sent even after a newer one.
	Each bool `yaml:"each"`
	// Needs holds the event until these types were seen for the order.
	Needs []schemas.EventType `yaml:"needs"`
	// NeedsWithin is how long it is held before a person is asked. Default 24h.
	NeedsWithin Duration `yaml:"needs_within"`
	// SupersededBy drops the event when one of these was seen, or waits behind it, before its effect was made. The
	// pseudo-type refund.full is a refund that brings the refunded sum to the order's total.
	SupersededBy []schemas.EventType `yaml:"superseded_by"`
	// Undoes names the operation this route takes back: without its effect there is nothing to do.
	Undoes string `yaml:"undoes"`
	// Fields are those of which the route takes corrections (order.corrected, customer.corrected, inventory.corrected): each is
	// an event of one field, and the body is made of that alone. Needed for those types, unless Each is true.
	Fields []schemas.Field `yaml:"fields"`
	// Rejected final: a "no" of the business ends the event; park (default): a person is asked.
	OnRejected string    `yaml:"on_rejected"`
	HTTP       *HTTPCall `yaml:"http"`
	File       *FileSink `yaml:"file"`
	// Body maps JSON members (or CSV columns) to expressions over the event; nested maps nest, nil values are left out.
	Body Mapping `yaml:"body"`
	// Required names the top members of Body without which there is no request: the event is parked then.
	Required []string `yaml:"required"`
	Answers  Answers  `yaml:"answers"`
	// ReadBack asks, some time after a call succeeded, for the record it made. Default nil: nobody asks.
	ReadBack *ReadBack `yaml:"read_back"`
	Mark     string    `yaml:"-"`
}

// Takes tells whether the route acts on corrections of a field.
func (r *Route) Takes(field schemas.Field) bool {
	return slices.ContainsFunc(r.On, schemas.EventType.Corrects) && (r.Each || slices.Contains(r.Fields, field))
}

// Correcting is the route of the integration that takes a correction of a field; nil where none does.
func (in *Integration) Correcting(et schemas.EventType, field schemas.Field) *Route {
	for i := range in.Deliver {
		if r := &in.Deliver[i]; slices.Contains(r.On, et) && r.Takes(field) {
			return r
		}
	}
	return nil
}

// RefundFull is the pseudo-type of Route.SupersededBy and Route.On: see there.
const RefundFull schemas.EventType = "refund.full"

// Integration is one downstream with its rules: integrations/<name>.yaml. Its group, ledger and parked topics follow
// from the name.
type Integration struct {
	Name   string         `yaml:"name"`
	System schemas.System `yaml:"system"` // whose fields it owns. Default the name
	Team   string         `yaml:"team"`
	// Operation is the business step its routes complete, unless they name another.
	Operation string `yaml:"operation"`
	// CompleteWithin is how long an order may wait for the operation before it is late.
	CompleteWithin Duration `yaml:"complete_within"`
	// StaleAfter is how old what the downstream knows may be before the business is harmed.
	StaleAfter Duration `yaml:"stale_after"`
	// ExpiresAfter ends events older than this undelivered. Default never.
	ExpiresAfter Duration    `yaml:"expires_after"`
	Deliver      []Route     `yaml:"deliver"`
	Idempotency  Idempotency `yaml:"idempotency"`
	Timeout      Duration    `yaml:"timeout"` // of one call. Default 5s
	Retry        Retry       `yaml:"retry"`
	Rate         Rate        `yaml:"rate"`
	InFlight     int         `yaml:"in_flight"` // default 64
	Windows      []Window    `yaml:"windows"`
	Breaker      Breaker     `yaml:"breaker"`
	// Order hold: later events of an order wait behind its parked one; pass: they do not. Default hold.
	Order string `yaml:"order"`
	// DedupWindow is how long finished events are remembered. Default 840h (35 days).
	DedupWindow Duration `yaml:"dedup_window"`
	// Volume is how many calls are to be expected; what an hour's outage leaves behind is computed from it.
	Volume Volume `yaml:"volume"`
	// Objective is the share of orders that complete within CompleteWithin, over 30 days. Default 99.5%.
	Objective Percent `yaml:"objective"`
	// Facts says which facts of an order it may be told, and when none. Default nil: nobody asks on its behalf.
	Facts *Facts `yaml:"facts"`
	// Environment asks the downstream which environment it is. Default nil: it is not asked.
	Environment *Handshake `yaml:"environment"`
	// TLS says whom we trust and what we show. Default nil: the system's authorities, and no certificate of ours.
	TLS *outbound.Files `yaml:"tls"`
	// Sign signs every call as Standard Webhooks has it. Default nil: calls are not signed.
	Sign *Signing `yaml:"sign"`
	Mark string   `yaml:"-"`
}

// Window is a time of the week in which no call is made.
type Window struct {
	Every string `yaml:"every"` // day, or mon .. sun
	From  string `yaml:"from"`  // "02:00"
	To    string `yaml:"to"`    // "04:00"; before From means the next day
	Zone  string `yaml:"tz"`    // IANA; default UTC
}

// Group is the consumer group of the integration.
func (t *Topology) Group(integration string) string { return t.Prefix + "seam." + integration }

// Ledger is the topic of what the integration has done.
func (t *Topology) Ledger(integration string) string { return t.Prefix + "ledger." + integration }

// Parked is the topic of what waits in the integration.
func (t *Topology) Parked(integration string) string { return t.Prefix + "parked." + integration }

// TopicName is the topic as the cluster knows it.
func (t *Topology) TopicName(name string) string { return t.Prefix + name }

// The topics beside the event topics, before the prefix.
const (
	TopicReconciliation = "reconciliation"
	TopicQuarantine     = "quarantine"
	TopicStatus         = "status"
	TopicCommands       = "commands"
	TopicDisagreements  = "disagreements"
	TopicContracts      = "contracts"
	TopicKeys           = "keys"     // of personal data: its readers may read that
	TopicTopology       = "topology" // whose the cluster is, and which plans were applied
)

// Integration finds one by name; nil when there is none.
func (t *Topology) Integration(name string) *Integration {
	for i := range t.Integrations {
		if t.Integrations[i].Name == name {
			return &t.Integrations[i]
		}
	}
	return nil
}

// Source finds one by name; nil when there is none.
func (t *Topology) Source(name string) *Source {
	for i := range t.Sources {
		if t.Sources[i].Name == name {
			return &t.Sources[i]
		}
	}
	return nil
}

// D is the time.Duration of a Duration.
func (d Duration) D() time.Duration { return time.Duration(d) }
