// Package contract watches the shape of what sources send and downstreams answer, and tells when it is not as expected.
//
// In come JSON documents, as trees that were parsed already, and HTTP statuses, each under a subject: a source and its platform's
// topic ("source/shopify/orders/create"), an integration and its route ("integration/erp/invoice"). A subject folds them into a
// shape: per path ("line_items[].price") the JSON types, how often it was there and how often not, and the words of an
// enumeration. The shape is published to the topic contracts, which is compacted; readers join what several processes saw.
//
// Expected is what topology/contracts/<name>.yaml declares, and where there is no file what the first documents looked like. What
// differs is drift: counted, logged once per path with the team that owns the subject, and kept with the shape until a file says
// that it is fine. Drift never holds anything up: what cannot be read goes to quarantine, whatever its shape.
//
// Why it is so. Missing and null are one thing, as nearly all senders use them for one: what was always there with a value and
// is not any more is missing, and everything else may come and go. All of the first documents are looked at (those of which the
// shape is learned and a hundred more), later one in sampleEvery: a changed API changes all of its documents. Values are personal
// unless there is reason to think otherwise, so that only texts at paths that are called as states and kinds are (words.go), that
// look like a word of a program, and that are few, are kept; of everything else only the type. Joining takes the greater of two
// counts instead of their sum: joining a shape twice then changes nothing, which lets processes take over from each other without
// agreeing on who does.
package contract
