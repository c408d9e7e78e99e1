//! How many connections there are, in all and of one address.

use std::net::IpAddr;

use super::EventLoop;
use crate::clock::Clock;
use crate::driver::network::Network;
use crate::driver::watch;
use crate::seeded::bug;
use crate::store::directory::Directory;

impl<N: Network<D>, D: Directory, C: Clock> EventLoop<N, D, C> {
    /// Whether there may be one more connection, from this address. A local one has none.
    pub(super) fn try_count(&self, address: Option<IpAddr>) -> bool {
        // The address first: whoever is beyond its own bound takes nobody's place, not even for a moment.
        if address.is_some_and(|address| !self.addresses.try_enter(address)) {
            self.common.count(|figures| figures.refused_for_address.add(1));
            return false;
        }
        let counted = self.connections.try_enter();
        self.common.count(|figures| watch::admitted(figures, counted));
        if let Some(address) = address.filter(|_| !counted) {
            self.addresses.leave(address);
        }
        counted
    }

    pub(super) fn uncount(&mut self, counted: bool, address: Option<IpAddr>) {
        if counted {
            if !bug("closed_connection_is_counted_on") {
                self.connections.leave();
            }
            if let Some(address) = address
                && !bug("closed_connection_of_an_address_is_counted_on")
            {
                self.addresses.leave(address);
            }
        } else {
            self.refused -= 1;
        }
    }
}
