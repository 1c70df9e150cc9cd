//! What an address is: reachable by everybody, or of this machine, this network or nobody.
//!
//! By the special-purpose registries of IANA (RFC 6890 and its successors), and the addresses that clouds answer
//! questions about credentials at.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of address it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Public,
    Loopback,
    Private,
    LinkLocal,
    Metadata,
    Reserved,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Class::Public => "a public address",
            Class::Loopback => "a loopback address",
            Class::Private => "a private address",
            Class::LinkLocal => "a link-local address",
            Class::Metadata => "a cloud's metadata address",
            Class::Reserved => "a reserved address",
        })
    }
}

impl Class {
    pub fn of(address: IpAddr) -> Class {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }
}

fn of_v4(address: Ipv4Addr) -> Class {
    match address.octets() {
        // EC2, Google, Azure and others; Alibaba; Azure's wire server; Oracle.
        [169, 254, 169, 254]
        | [169, 254, 170, 2]
        | [100, 100, 100, 200]
        | [168, 63, 129, 16]
        | [192, 0, 0, 192] => Class::Metadata,
        [127, ..] => Class::Loopback,
        // What a carrier shares (RFC 6598) is as private to this network as the three of RFC 1918.
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Class::Private,
        [169, 254, ..] => Class::LinkLocal,
        // This network, protocol assignments, documentation, 6to4 relays, benchmarks, multicast, the future, broadcast.
        [0, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [224..=255, ..] => Class::Reserved,
        _ => Class::Public,
    }
}

fn of_v6(address: Ipv6Addr) -> Class {
    let segments = address.segments();
    let v4_at_the_end = || {
        let [.., a, b, c, d] = address.octets();
        of_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 1] => Class::Loopback,
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254] => Class::Metadata,
        // An IPv4 address in other clothes: mapped, translated by the host, by the network (NAT64).
        [0, 0, 0, 0, 0, 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            v4_at_the_end()
        }
        [0xfc00..=0xfdff, ..] => Class::Private,
        [0xfe80..=0xfeff, ..] => Class::LinkLocal,
        // Protocol assignments with Teredo, documentation, 6to4: they lead through somebody's tunnel or nowhere.
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x2002, ..] | [0x3fff, 0..=0x0fff, ..] => {
            Class::Reserved
        }
        [0x2000..=0x3fff, ..] => Class::Public,
        _ => Class::Reserved,
    }
}
