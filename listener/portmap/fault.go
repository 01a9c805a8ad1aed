package portmap

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/huin/goupnp/soap"
)

// Error numbers of UPnP: 4xx and 5xx and 6xx from the UPnP Device Architecture
// 1.1 section 3.2.2, 7xx from WANIPConnection:2 section 2.5.
const (
	faultInvalidArgs   = 402
	faultNotAuthorized = 606
	faultNoSuchEntry   = 714
	faultConflict      = 718
	faultSamePort      = 724
	faultPermanentOnly = 725
	faultOtherMechs    = 729
)

var faultTexts = map[int]string{
	401:                "action unknown",
	faultInvalidArgs:   "invalid arguments",
	501:                "action failed",
	605:                "argument too long",
	faultNotAuthorized: "not authorized",
	faultNoSuchEntry:   "no such mapping",
	715:                "no wildcard permitted for the source address",
	716:                "no wildcard permitted for the external port",
	faultConflict:      "the port is mapped to another machine",
	faultSamePort:      "internal and external port must be equal",
	faultPermanentOnly: "only permanent leases",
	726:                "the source address must be a wildcard",
	727:                "the external port must be a wildcard",
	728:                "no more mappings",
	faultOtherMechs:    "the port is taken by other means",
	732:                "internal port must not be a wildcard",
}

// FaultError is a gateway's numbered refusal. The text that came with the number
// is the gateway's own and left out.
type FaultError struct {
	Action string // the UPnP action that was refused, such as "AddPortMapping"
	Code   int    // the UPnP error number, such as 718
}

// Error implements error.
func (e *FaultError) Error() string {
	text := faultTexts[e.Code]
	if text == "" {
		text = "no known reason"
	}
	return fmt.Sprintf("%s: %v: %d (%s)", e.Action, ErrRefused, e.Code, text)
}

// Is makes every FaultError an [ErrRefused].
func (e *FaultError) Is(target error) bool { return target == ErrRefused }

// soapError turns what goupnp returns into an error of this package. goupnp does
// not wrap the errors below it, and prints whole replies into its own.
func soapError(ctx context.Context, action string, err error) error {
	if err == nil {
		return nil
	}
	var fault *soap.SOAPFaultError
	if errors.As(err, &fault) {
		return &FaultError{Action: action, Code: fault.Detail.UPnPError.Errorcode}
	}
	return exchangeError(ctx, action, err)
}

// exchangeError says why an exchange with a gateway failed: because the caller
// ended it, or else because of the gateway.
func exchangeError(ctx context.Context, step string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", step, context.Cause(ctx))
	}
	return fmt.Errorf("%s: %w: %s", step, ErrBadReply, excerpt(err.Error()))
}

// faultCode returns the UPnP error number in err, or 0.
func faultCode(err error) int {
	var fault *FaultError
	if errors.As(err, &fault) {
		return fault.Code
	}
	return 0
}

// excerpt makes a stranger's text short and harmless.
func excerpt(s string) string {
	const most = 120
	if len(s) > most {
		s = s[:most] + "…"
	}
	quoted := strconv.QuoteToASCII(s)
	return quoted[1 : len(quoted)-1]
}
