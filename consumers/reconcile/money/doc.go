// Package money says what each system says about the money of one order, so that two departments that see different
// numbers can be answered with control totals and the payments, refunds and invoices that explain them.
//
// In come events; out go movements (Of), the newest word on each of them (Book), sums (Net) and where systems differ
// (Differences). It does no I/O, asks no clock and holds every amount as a decimal. Nothing is converted and nothing
// rounded: amounts of two currencies are never added, and every amount is one that the source sent, but for goods and
// invoice lines, which are quantity times unit price.
//
// What counts, and why it is so:
//
// A payment counts by its own id in its system, never by the PSP's reference, as several captures of one authorization
// share that; the reference links it to what other systems saw. An authorization counts by the payment it opened, so that
// a later amount replaces the first.
//
// A refund counts by its transactions where the source gives them, else whole: the shop's webhook, its transaction webhook
// and the admin panel tell one refund in three ways. A refund's voided transaction is no money given back, and neither is
// the refund that Stripe made, before its API of 2025-03-31, for what a capture or a void left of an authorization: it is
// known by its payment, its exact amount and its moment. Pending money has not moved; a failure takes back what was told
// as moved.
//
// "Paid", without an amount, claims that all of the order's total was taken: it counts as long as no transaction is known.
//
// What a customer owes is the order's total as of its newest state, and nothing once the order is cancelled. Shopify's
// total shrinks with refunds and WooCommerce's stays: see Comparisons.
//
// An invoice cancelled under its own number is no more, and may be issued again under that number or another; a
// cancellation under a number of its own is a credit note. Rows of a file that are lines of an invoice add up: a file
// that repeats the rows of another adds them twice, as package producers takes every row for a fact. Adjustments are
// bookings inside the ERP and count nothing.
//
// Authorizations and voids are told and never compared, as no money moved. A difference says nothing of whose number is
// right, nor whether a system is merely late: how long it may be is the caller's to know, from Difference.Since.
package money
