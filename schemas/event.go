package schemas

import (
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// EventID identifies one delivery of one source: the same delivery always has the same id, whoever computes it.
type EventID string

// OrderID is the shop's id of an order, as text: the record key of the orders topic.
type OrderID string

// System names a system that has opinions about fields (shop, warehouse, erp): the word ownership.yaml uses.
type System string

// EventType is a past-tense dotted type, the CloudEvents type of the record.
type EventType string

// The types a source may be normalized to. An unknown text is still valid data to a reader.
const (
	OrderCreated         EventType = "order.created"
	OrderUpdated         EventType = "order.updated" // full state
	OrderEdited          EventType = "order.edited"  // delta against the order's lines
	OrderEnriched        EventType = "order.enriched"
	OrderObserved        EventType = "order.observed"  // what a read-back found: Seam's own, no source may send it
	OrderCorrected       EventType = "order.corrected" // a person's word on one field: see Correction
	OrderCancelRequested EventType = "order.cancel_requested"
	OrderCancelled       EventType = "order.cancelled"
	OrderCancelRejected  EventType = "order.cancel_rejected"
	PaymentAuthorized    EventType = "payment.authorized"
	PaymentCaptured      EventType = "payment.captured"
	PaymentFailed        EventType = "payment.failed"
	PaymentVoided        EventType = "payment.voided"
	RefundRequested      EventType = "refund.requested"
	RefundSucceeded      EventType = "refund.succeeded"
	RefundFailed         EventType = "refund.failed"
	DisputeOpened        EventType = "dispute.opened"
	FraudAssessed        EventType = "fraud.assessed"
	FulfillmentRequested EventType = "fulfillment.requested"
	FulfillmentAccepted  EventType = "fulfillment.accepted"
	FulfillmentRejected  EventType = "fulfillment.rejected"
	FulfillmentShipped   EventType = "fulfillment.shipped"
	FulfillmentDelivered EventType = "fulfillment.delivered"
	FulfillmentCancelled EventType = "fulfillment.cancelled"
	ReturnRequested      EventType = "return.requested"
	ReturnReceived       EventType = "return.received"
	InvoiceIssued        EventType = "invoice.issued"
	InvoiceCancelled     EventType = "invoice.cancelled"
	CustomerRegistered   EventType = "customer.registered"
	CustomerUpdated      EventType = "customer.updated"
	CustomerRedacted     EventType = "customer.redacted"
	CustomerCorrected    EventType = "customer.corrected" // as OrderCorrected
	InventoryLevelSet    EventType = "inventory.level_set"
	InventoryCorrected   EventType = "inventory.corrected" // as OrderCorrected
)

// EventTypes lists every type above, in the order of the model; reviews and completions range over it.
var EventTypes = []EventType{
	OrderCreated, OrderUpdated, OrderEdited, OrderEnriched, OrderObserved, OrderCorrected, OrderCancelRequested, OrderCancelled, OrderCancelRejected,
	PaymentAuthorized, PaymentCaptured, PaymentFailed, PaymentVoided,
	RefundRequested, RefundSucceeded, RefundFailed, DisputeOpened, FraudAssessed,
	FulfillmentRequested, FulfillmentAccepted, FulfillmentRejected, FulfillmentShipped, FulfillmentDelivered, FulfillmentCancelled,
	ReturnRequested, ReturnReceived, InvoiceIssued, InvoiceCancelled,
	CustomerRegistered, CustomerUpdated, CustomerRedacted, CustomerCorrected, InventoryLevelSet, InventoryCorrected,
}

// The event topics, before the environment's prefix.
const (
	TopicOrders    = "orders"
	TopicCustomers = "customers"
	TopicInventory = "inventory"
)

// Topic is the event topic that carries t: customers for customer.*, inventory for inventory.*, else orders.
func (t EventType) Topic() string {
	switch {
	case len(t) > 9 && t[:9] == "customer.":
		return TopicCustomers
	case len(t) > 10 && t[:10] == "inventory.":
		return TopicInventory
	}
	return TopicOrders
}

// Event is one decoded fact from a source. Every part but the envelope is nil when the source did not speak of it.
type Event struct {
	ID            EventID
	Type          EventType
	Source        string    // CloudEvents source: "/shopify/{shop}", "/files/{name}"
	System        System    // the system that speaks, from the source's YAML; ownership is decided on it
	Subject       string    // the record key: order ID; customer ID for customers; location/item for inventory. Never empty
	Time          time.Time // when it happened, by the source's clock; UTC, microseconds. Never zero
	TimeText      string    // the source's own text of Time where that had an offset or no zone; empty otherwise
	IngestedAt    time.Time // when the edge took it, by our clock; UTC, microseconds
	SourceVersion string    // what the source orders its states by (updated_at, version), as given; empty when it gives none
	DeliveryID    string    // the platform's identity of the delivery, as given or derived (see each platform's file)
	BusinessID    string    // type/subject/object[/version]: equal for one business fact that came under two delivery ids
	CorrelationID string    // the platform's id shared by deliveries of one action; empty when none
	CausationID   string    // id of the event that caused this one; empty when none
	RawRef        string    // "sha256:<hex>" of the raw body

	Order       *Order
	Payment     *Payment
	Refund      *Refund
	Fulfillment *Fulfillment
	Fraud       *Fraud
	Dispute     *Dispute
	Return      *Return
	Invoice     *Invoice
	Enrichment  *Enrichment
	Customer    *Customer
	Inventory   *Inventory
	ReadBack    *ReadBack   // of order.observed
	Correction  *Correction // of the types that Corrects tells of; nil for all others

	// Extensions keeps every leaf of the source's body that the model has no place for: dotted path
	// ("line_items.0.variant_id") to the leaf's text. Bearer secrets are left out.
	Extensions map[string]string

	// Sealed is what is personal of the event, encrypted, while nothing opened it: a Serde without a Sealer leaves it so, and
	// any does once it is erased. Nil for an event that is whole.
	Sealed []byte

	// SealedSays is the fields that Sealed speaks of; 0 in events of before it was written, and in whole ones.
	SealedSays FieldSet
}

// seamSpace is the UUID namespace of event ids: UUIDv5(DNS, "seam.binaryandbeyond.github.com"). Frozen: changing it
// would make every delivery new.
var seamSpace = uuid.NewSHA1(uuid.NameSpaceDNS, []byte("seam.binaryandbeyond.github.com"))

// NewEventID is the UUIDv5 of a source and the identity of one of its deliveries; part tells apart the events that
// one delivery yields (0 for the first).
func NewEventID(source, deliveryID string, part string) EventID {
	name := source + "\x00" + deliveryID
	if part != "" {
		name += "\x00" + part
	}
	return EventID(uuid.NewSHA1(seamSpace, []byte(name)).String())
}

// Money is an exact amount of one currency. Amount has at most 4 decimals and 16 digits before the point: see
// CheckMoney. Currency is ISO 4217, upper case.
type Money struct {
	Amount   decimal.Decimal
	Currency string
}

// Order is what a source says of an order; empty texts and nil values are "not said".
type Order struct {
	ID                string // the source's id of the order
	Number            string // what the customer reads: "#1001"
	Status            string // open, cancelled, closed or the source's own word
	PaymentStatus     string // pending, authorized, partially_paid, paid, partially_refunded, refunded, voided or the source's own word
	FulfillmentStatus string // unfulfilled, partial, fulfilled or the source's own word
	CancelReason      string
	CustomerID        string
	Email             string
	Phone             string
	Note              string
	Total             *Money // what the customer owes, as of this state
	Subtotal          *Money
	Tax               *Money
	Shipping          *Money
	Discount          *Money
	PresentmentTotal  *Money // Total in the currency the customer saw, where it differs
	Lines             []Line
	ShippingAddress   *Address
	BillingAddress    *Address
	CreatedAt         *time.Time
	UpdatedAt         *time.Time
	CancelledAt       *time.Time
	ClosedAt          *time.Time
	Payments          []Payment
	Refunds           []Refund
	Fulfillments      []Fulfillment
}

// Line is one order line. ID is the source's line id: never the SKU or the position.
type Line struct {
	ID        string
	SKU       string
	ProductID string
	VariantID string
	Title     string
	Quantity  int64
	Price     *Money // of one unit
	Discount  *Money // of the whole line
	Tax       *Money // of the whole line
}

// Address is personal data throughout.
type Address struct {
	Name, Company, Address1, Address2, City, Province, Zip, Country, Phone string
}

// Payment is one transaction: an authorization, a capture, a void.
type Payment struct {
	ID          string
	ParentID    string // the authorization that a capture or void belongs to
	Kind        string // authorization, capture, sale, void, refund or the source's own word
	Status      string // pending, success, failure or the source's own word
	Gateway     string
	Reference   string // the PSP's own reference
	Amount      *Money
	ProcessedAt *time.Time
}

// Refund is money given back. Amount is positive whatever sign the source uses, and comes from the successful
// transactions where the source gives them.
type Refund struct {
	ID        string
	PaymentID string
	Status    string
	Reason    string
	Note      string
	Amount    *Money
	Lines     []Line
	CreatedAt *time.Time
	Payments  []Payment
}

// Fulfillment is a parcel or a request for one.
type Fulfillment struct {
	ID              string
	Status          string // pending, open, success, cancelled, in_transit, delivered or the source's own word
	RequestStatus   string // of a fulfillment order: submitted, accepted, rejected, cancellation_requested, ...
	LocationID      string
	TrackingCompany string
	TrackingNumber  string
	TrackingURL     string
	Reason          string
	Lines           []Line
	CreatedAt       *time.Time
	UpdatedAt       *time.Time
}

// Fraud is an assessment of an order.
type Fraud struct {
	ID             string
	Level          string // low, medium, high or the source's own word
	Score          string // as text: the scales differ
	Recommendation string
	Provider       string
}

// Dispute is a chargeback or inquiry.
type Dispute struct {
	ID, Kind, Reason, Status, PaymentID string
	Amount                              *Money
	DueBy                               *time.Time
}

// Return is goods coming back.
type Return struct {
	ID, Status, Name string
	Quantity         int64
	Lines            []Line
}

// Invoice is the ERP's document for an order, or a row of it.
type Invoice struct {
	ID         string
	OrderID    string
	CustomerID string
	Kind       string // invoice, credit, adjustment
	Total      *Money
	Tax        *Money
	Lines      []Line
	IssuedAt   *time.Time
}

// Enrichment is what the AI step wrote about an order, and what it wrote it from.
type Enrichment struct {
	Category string
	Summary  string
	Tags     []string
	Model    string
	FactsAt  *time.Time // the as-of time of the oldest fact it saw
	FactsID  string     // the id of the facts it was made from, as they were given
}

// ReadBack is what a read of a downstream's own record found, some time after a call had succeeded.
type ReadBack struct {
	Integration string
	Operation   string
	EventID     EventID // the event whose call is read back
	Reference   string  // the downstream's id of what the call made, where its answer named one
	Result      string  // ReadFound, ReadMissing or ReadFailed
	Detail      string  // of ReadFailed: the last answer
}

// The results of a read-back.
const (
	ReadFound   = "found"   // the record is there: the event's other parts are what it says
	ReadMissing = "missing" // it is not there, though the call was answered
	ReadFailed  = "failed"  // nobody answered in time: whether it is there is not known
)

// ReadBackSource is the CloudEvents source of what an integration's read-backs find.
func ReadBackSource(integration string) string { return "/seam/read-back/" + integration }

// Customer is personal data throughout but the id.
type Customer struct {
	ID         string
	Email      string
	FirstName  string
	LastName   string
	Phone      string
	Note       string
	Status     string
	Segment    string
	OrderIDs   []string // with customer.redacted: the orders to redact
	Address    *Address
	CreatedAt  *time.Time
	UpdatedAt  *time.Time
	OrderCount string
	TotalSpent *Money
}

// Inventory is an absolute level, never a delta. Available is nil when the source does not know.
type Inventory struct {
	ItemID     string
	SKU        string
	LocationID string
	Available  *int64
	UpdatedAt  *time.Time
}
