// Package producers turns one source's payloads into events and publishes each under its order ID.
//
// In come webhooks (POST /in/{source}), files dropped into watched folders and the answers of polled APIs. Out go
// records of the event topics, one per fact, keyed by order (customer, item), and records of the quarantine topic for
// what is authentic but cannot be normalized. It never decides who gets an event, and never answers a source 2xx before
// every record of its delivery is acknowledged by all in-sync replicas (or, for a source with spool: true, is fsynced).
//
// The road of a delivery is one screen of edge.go: receive, authenticate on the raw bytes, read exactly, normalize,
// publish, answer. A platform is one file and one line in the platforms table.
//
// Why it is so:
//
//   - Identity. An event id is derived from the source and the identity of its delivery as each platform's file says,
//     never made up, so that a repeated delivery has the same id whichever process took it. Beside it every event has
//     a business id that two deliveries of one fact share.
//   - State from the body. The topic header of Shopify and WooCommerce is outside the signature: a captured body can
//     come again under another topic. A body that does not show what its topic says becomes order.updated.
//   - No value lost. A leaf of the body that the model has no place for goes to Event.Extensions under its dotted path,
//     but for bearer secrets; a time with an offset or with more than microseconds stays there beside its typed value.
//   - Authentic but unusable is answered 200 and quarantined whole: the platform cannot improve it by sending it again,
//     and some platforms switch a hook off after a few refusals.
//   - Facts inside state. WooCommerce and polls tell cancellations, payments and refunds only through the order's
//     state; each is published as its own event beside the state, with the business id its own webhook would have, so
//     that downstreams see it once. A fact older than factHorizon is not told again, as ledgers forget.
package producers
