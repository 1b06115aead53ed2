package drills

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/schemas"
)

// paper is where the story is written: plain lines, or on a terminal colours and one line that changes.
type paper struct {
	out      io.Writer
	terminal bool
	begun    time.Time
	scale    float64
	wet      bool // the live line is on the screen
}

// opens is the story's time at the beginning: Monday, eight o'clock.
const opens = 8 * time.Hour

// width is how far a line goes before it is broken.
const width = 96

func newPaper(cfg StoryConfig, begun time.Time) *paper {
	return &paper{out: cfg.Out, terminal: cfg.Interactive, begun: begun, scale: cfg.Scale}
}

// clock is the story's time, "08:14".
func (p *paper) clock() string {
	d := opens + time.Duration(float64(time.Since(p.begun))/p.scale)
	return fmt.Sprintf("%02d:%02d", int(d.Hours())%24, int(d.Minutes())%60)
}

// ink puts a terminal's colour around a text.
func (p *paper) ink(code, text string) string {
	if !p.terminal {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p *paper) bold(s string) string  { return p.ink("1", s) }
func (p *paper) faint(s string) string { return p.ink("2", s) }

// line writes one line of its own.
func (p *paper) line(text string) {
	p.dry()
	fmt.Fprintln(p.out, strings.TrimRight(text, " "))
}

// live replaces the changing line; without a terminal there is none.
func (p *paper) live(text string) {
	if p.terminal {
		fmt.Fprintf(p.out, "\r\x1b[K       %s", p.faint(p.clock()+"  "+text))
		p.wet = true
	}
}

// dry takes the changing line away.
func (p *paper) dry() {
	if p.wet {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.wet = false
	}
}

func (p *paper) opening(cfg StoryConfig, start time.Duration) {
	p.line(p.bold("A bad Monday") + fmt.Sprintf(": %d orders, seed %d, a second is %s. Seam was up in %s.", cfg.Orders, cfg.Seed,
		spoken(time.Duration(float64(time.Second)/cfg.Scale)), start.Round(10*time.Millisecond)))
	p.line("")
}

// act is a heading with the story's time.
func (p *paper) act(title string) { p.line(p.faint(p.clock()) + "  " + p.bold(title)) }

// say is what came of an act.
func (p *paper) say(text string) {
	for _, l := range wrap(text, width-7) {
		p.line("       " + l)
	}
}

// closing is the account.
func (p *paper) closing(r Report) {
	p.line("")
	p.line(p.bold("What happened"))
	p.line(fmt.Sprintf("  %s orders of %s customers; %d refunds, %d cancelled.", grouped(r.Orders), grouped(r.Customers), r.Refunds, r.Cancelled))
	p.line(fmt.Sprintf("  %s webhooks and call-backs in %s tries, %d things told under two ids, %d never told.", grouped(r.Posts), grouped(r.Attempts), r.Twice, r.NeverTold))
	p.line(fmt.Sprintf("  %s events, %s outcomes, %s duplicates absorbed.", grouped(r.Events), grouped(r.Outcomes), grouped(r.Absorbed)))
	p.line("")
	p.line(p.bold(fmt.Sprintf("%-12s %8s %8s %8s %8s %8s", "Effects", "should", "did", "doubled", "missing", "parked")))
	for _, s := range r.Systems {
		text := fmt.Sprintf("  %-10s %8s %8s %8d %8d %8d", s.System, grouped(s.Should), grouped(s.Did), s.Doubled, s.Missing-s.Parked, s.Parked)
		if s.Doubled > 0 || s.Missing > s.Parked {
			text = p.ink("31", text)
		}
		p.line(text)
	}
	p.parked(r.Parked)
	p.disagreements(r.Disagreements)
	p.verdict(r)
}

func (p *paper) parked(parked []ParkedReport) {
	if len(parked) == 0 {
		return
	}
	p.line("")
	p.line(p.bold("Waiting for a person"))
	for _, k := range parked {
		p.line(fmt.Sprintf("  %-10s %4d  %s", k.Integration, k.Events, because(k.Reason)))
	}
}

// because says in a sentence why something is parked.
func because(r schemas.Reason) string {
	switch r {
	case schemas.ReasonContract:
		return "an answer outside the contract: what it means is not known"
	case schemas.ReasonUnknown:
		return "the answer was lost and the call may not be repeated"
	case schemas.ReasonBusinessNo:
		return "the downstream said no: the parcel had left"
	case schemas.ReasonBehind:
		return "stands behind a parked event of its order"
	}
	return string(r)
}

func (p *paper) disagreements(ds []DisagreementReport) {
	if len(ds) == 0 {
		return
	}
	p.line("")
	p.line(p.bold(fmt.Sprintf("%-42s %8s %8s %8s  %s", "Disagreements", "times", "too long", "open", "longest")))
	for _, d := range ds {
		who := fmt.Sprintf("%s, not %s", d.Owner, d.System)
		p.line(fmt.Sprintf("  %-24s %-15s %8d %8d %8d  %s", d.Field, who, d.Times, d.Overdue, d.Open, spoken(d.Longest)))
	}
}

// maxShown is how many violations are written out.
const maxShown = 12

func (p *paper) verdict(r Report) {
	p.line("")
	if len(r.Violations) == 0 {
		p.line(p.ink("32;1", "Nothing lost, nothing doubled, everything explained.") + fmt.Sprintf(" It took %s.", r.Took.Round(100*time.Millisecond)))
		return
	}
	p.line(p.ink("31;1", fmt.Sprintf("%d promises broken:", len(r.Violations))))
	for i, v := range r.Violations {
		if i == maxShown {
			p.line(fmt.Sprintf("  and %d more", len(r.Violations)-i))
			break
		}
		p.line("  " + v)
	}
}

// wrap breaks a text at blanks.
func wrap(text string, width int) []string {
	var out []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
			out, line = append(out, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(out, line)
}

// spoken is a duration for people: "4 minutes", "45 seconds", "1h20m".
func spoken(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 2*time.Minute:
		return fmt.Sprintf("%d seconds", int(d.Round(time.Second).Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Round(time.Minute).Minutes()))
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}

// grouped is a count with blanks between thousands.
func grouped(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + " " + text[i:]
	}
	return text
}

// sameAmount compares two amounts by value: "12.5" is "12.50".
func sameAmount(a, b string) bool {
	x, errX := decimal.NewFromString(a)
	y, errY := decimal.NewFromString(b)
	return errX == nil && errY == nil && x.Equal(y)
}
