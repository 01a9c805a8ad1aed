package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/peerproxy/peerproxy/control"
	"github.com/peerproxy/peerproxy/node"
	"github.com/peerproxy/peerproxy/trust"
)

type inviteCmd struct {
	Name        string `env:"-" placeholder:"NAME" help:"What others shall call this node. Default: the name of this machine."`
	WithTrusted bool   `env:"-" help:"Introduce the keys that this node trusts, too."`
	Rotate      bool   `env:"-" help:"Make a new secret first, so that those who know the old one are no longer in the group. The others have to be invited anew."`
	QR          *bool  `name:"qr" env:"-" negatable:"" help:"Draw a QR code, or not. Default: on a terminal only."`
}

// Run is called by kong.
func (c *inviteCmd) Run(a *app) error {
	invitation, err := c.invitation(a)
	if err != nil {
		return err
	}
	text, err := invitation.Text()
	if err != nil {
		return err
	}
	a.printf("%s\n", text)
	if c.QR != nil && *c.QR || c.QR == nil && isTerminal(a.out) {
		if err := printQR(a, text); errors.Is(err, errQRTooWide) {
			a.tell("The invitation is %v.\n", err)
		}
	}
	a.tell("Whoever has this text can find and read what the group shares. Give it only to those who shall\n" +
		"be in the group, and where nobody else reads along. They run \"peerproxy join -\" and paste it.\n")
	a.tell("In the invitation this node is called %q.\n", invitation.Inviter.Name)
	return nil
}

func (c *inviteCmd) invitation(a *app) (trust.Invitation, error) {
	none := trust.Invitation{}
	name := c.Name
	if name == "" {
		name = hostName()
	}
	if err := trust.CheckName(name); err != nil {
		return none, err
	}
	introduced, err := c.introduced(a)
	if err != nil {
		return none, err
	}
	key, err := node.MakeOwnKey(a.common.Data)
	if err != nil {
		return none, err
	}
	secret, err := c.group(a)
	if err != nil {
		return none, err
	}
	return trust.Invitation{Secret: secret, Inviter: trust.Entry{Key: key, Name: name}, Introduced: introduced}, nil
}

// group returns the secret to invite to, and says what a running node has to do with it.
func (c *inviteCmd) group(a *app) (node.GroupSecret, error) {
	had := node.HasGroup(a.common.Data)
	if !c.Rotate {
		secret, err := node.OpenGroup(a.common.Data)
		if err == nil {
			sayNext(a, !had)
		}
		return secret, err
	}
	secret, backup, err := node.RotateGroup(a.common.Data)
	if err != nil {
		return secret, err
	}
	if backup != "" {
		a.tell("The group has a new secret: invite everybody anew who shall stay. The old one is in %s.\n", backup)
	}
	sayNext(a, true)
	return secret, nil
}

// introduced are the keys that go along.
func (c *inviteCmd) introduced(a *app) ([]trust.Entry, error) {
	if !c.WithTrusted {
		return nil, nil
	}
	ring, err := trust.LoadKeyring(node.KeyringFile(a.common.Data))
	if err != nil {
		return nil, err
	}
	var list []trust.Entry
	for _, e := range ring.Entries() {
		if !e.IsRevoked() {
			list = append(list, trust.Entry{Key: e.Key, Name: e.Name, Sites: e.Sites})
		}
	}
	return list, nil
}

type joinCmd struct {
	Invitation string `arg:"" help:"The text of the invitation; - reads it from standard input, where the list of processes does not show it."`
	Name       string `env:"-" placeholder:"NAME" help:"What to call the inviter. Default: the name in the invitation."`
	Replace    bool   `env:"-" help:"Leave the group that this node is in. Its secret is kept beside."`
	DryRun     bool   `env:"-" help:"Say what the invitation means, and change nothing."`
}

// Run is called by kong.
func (c *joinCmd) Run(a *app) error {
	text := c.Invitation
	if text == "-" {
		input, err := readInput("-", 2*trust.MaxInvitation)
		if err != nil {
			return err
		}
		text = string(input)
	}
	v, err := trust.ParseInvitation(text)
	if err != nil {
		return err
	}
	a.printf("An invitation of %s (%s)%s.\n", v.Inviter.Name, v.Inviter.Key,
		choose(len(v.Introduced) == 0, "", ", who introduces "+count(len(v.Introduced), "more key")))
	a.printf("Who is in the group can find and read what this node shares with it, and you trust copies signed by these keys.\n")
	own, _, err := node.OwnKey(a.common.Data)
	if err != nil {
		return err
	}
	if own == v.Inviter.Key {
		return usageError{errors.New("this invitation is from this node itself")}
	}
	if c.DryRun {
		return c.rehearse(a, v, own)
	}
	return c.join(a, v, own)
}

func (c *joinCmd) rehearse(a *app, v trust.Invitation, own trust.Key) error {
	ring, err := trust.LoadKeyring(node.KeyringFile(a.common.Data))
	if err != nil {
		return err
	}
	_, changes, err := c.meet(ring, v, own)
	printChanges(a, changes, "would be ")
	return err
}

// join takes the keys first: if the rest fails, it can be done again, and nobody is in a
// group whose inviter is not known.
func (c *joinCmd) join(a *app, v trust.Invitation, own trust.Key) error {
	if !c.Replace {
		if known, err := node.InOtherGroup(a.common.Data, v.Secret); err != nil || known {
			return errors.Join(err, choose(known, otherGroup(), nil))
		}
	}
	var changes []trust.Change
	err := changeKeyring(a, func(r *trust.Keyring) (ring *trust.Keyring, err error) {
		ring, changes, err = c.meet(r, v, own)
		return ring, err
	}, func() { printChanges(a, changes, "") })
	if err != nil {
		return err
	}
	changed, backup, err := node.JoinGroup(a.common.Data, v.Secret, c.Replace)
	if errors.Is(err, node.ErrOtherGroup) {
		return otherGroup()
	}
	if err != nil {
		return err
	}
	if backup != "" {
		a.printf("The secret of the group that this node was in is kept in %s.\n", backup)
	}
	a.printf("%s\n", choose(changed, "This node is in the group now.", "This node is in the group already."))
	sayNext(a, changed)
	return nil
}

func otherGroup() error {
	return usageError{fmt.Errorf("%w: join --replace leaves it and keeps its secret beside", node.ErrOtherGroup)}
}

// meet adds the inviter and the introduced keys to a keyring.
func (c *joinCmd) meet(r *trust.Keyring, v trust.Invitation, own trust.Key) (*trust.Keyring, []trust.Change, error) {
	inviter := v.Inviter
	if c.Name != "" {
		inviter.Name = c.Name
		if e, err := r.Find(c.Name); err == nil && e.Key != inviter.Key {
			return nil, nil, fmt.Errorf("the name %q is %w, for another key", c.Name, trust.ErrTaken)
		}
	}
	if e, known := r.Lookup(inviter.Key); known && e.IsRevoked() {
		return nil, nil, usageError{fmt.Errorf("the inviter's key is revoked here, as %q", e.Name)}
	}
	incoming, err := (*trust.Keyring)(nil).With(inviter)
	if err != nil {
		return nil, nil, err
	}
	ring, changes, err := r.Merge(incoming, own, time.Now())
	if err != nil {
		return nil, nil, err
	}
	for _, e := range v.Introduced { // one by one: their names may be the same
		incoming, err := (*trust.Keyring)(nil).With(e)
		if err != nil {
			return nil, nil, err
		}
		var more []trust.Change
		if ring, more, err = ring.Merge(incoming, own, time.Now()); err != nil {
			return nil, nil, err
		}
		changes = append(changes, more...)
	}
	return ring, changes, nil
}

// sayNext tells how the node comes to share with its group. changed: it has a new secret.
func sayNext(a *app, changed bool) {
	client, err := control.Dial(a.ctx, a.common.Data)
	if err != nil {
		a.tell("Next: peerproxy serve --share group\n")
		return
	}
	defer client.Close()
	status, err := client.Status(a.ctx)
	switch {
	case err == nil && status.Share != string(node.ShareGroup):
		a.tell("The running node does not share with the group. Restart it: peerproxy serve --share group\n")
	case changed:
		a.tell("The running node still uses the old secret. Restart it.\n")
	}
}

// tell writes for the user where it does not mix with what a script reads.
func (a *app) tell(format string, args ...any) {
	_, _ = fmt.Fprintf(a.err, format, args...)
}

// hostName is this machine's name, as far as it can be a name in a keyring.
func hostName() string {
	name, err := os.Hostname()
	if err != nil || trust.CheckName(name) != nil {
		return "peerproxy"
	}
	return name
}
