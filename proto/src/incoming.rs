//! Connections of a gRPC server before they are calls: how many there may be, and how long each may take to begin.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv6Addr},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Sleep,
};
use tonic::transport::server::Connected;

/// What begins every connection of HTTP/2 must have arrived by then; from there on pings are to be answered.
const PREFACE_LIMIT: Duration = Duration::from_secs(5);
const PREFACE_BYTES: usize = 24;
/// Whoever accepts rests after so many refusals: a flood of them would else keep a processor from the calls of others for
/// as long as it lasts. Others who wait to be accepted wait for it, too: some thousand refusals are made in a second.
const REFUSALS: u32 = 16;
const REST: Duration = Duration::from_millis(1);

/// Places for connections, of which one machine has no more than its share. Cheap to clone.
#[derive(Clone)]
pub struct Places {
    free: Arc<Semaphore>,
    share: usize,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    refused: Arc<AtomicU32>,
}

/// A place; free again once it is dropped.
pub struct Place {
    whose: IpAddr,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    _free: OwnedSemaphorePermit,
}

impl Places {
    /// So many, and of them at most a share for each address.
    pub fn new(most: usize, share: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(most)), share, taken: Arc::default(), refused: Arc::default() }
    }

    /// Waits until one is free.
    pub async fn free(&self) -> OwnedSemaphorePermit {
        self.free.clone().acquire_owned().await.expect("this semaphore is never closed")
    }

    /// Gives it to an address; `None` where that has its share.
    pub async fn take(&self, free: OwnedSemaphorePermit, address: IpAddr) -> Option<Place> {
        let whose = machine(address);
        let has_more = {
            let mut taken = self.taken.lock().expect("no holder of this lock panics");
            let count = taken.entry(whose).or_default();
            let has_more = *count < self.share;
            *count += usize::from(has_more);
            has_more
        };
        if has_more {
            return Some(Place { whose, taken: self.taken.clone(), _free: free });
        }
        if (self.refused.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(REFUSALS) {
            tokio::time::sleep(REST).await;
        }
        None
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().expect("no holder of this lock panics");
        if let Some(count) = taken.get_mut(&self.whose) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.whose);
            }
        }
    }
}

/// What counts as one machine: of IPv6 each has at least a network of 64 bits.
fn machine(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

/// A connection in its place.
pub struct Incoming<S> {
    stream: S,
    /// The bytes that its preface lacks, and until when they may come; `None` once it is whole.
    preface: Option<(usize, Pin<Box<Sleep>>)>,
    _place: Place,
}

impl<S> Incoming<S> {
    /// A connection that has just been accepted, encrypted where it is to be.
    pub fn new(stream: S, place: Place) -> Self {
        Self { stream, preface: Some((PREFACE_BYTES, Box::pin(tokio::time::sleep(PREFACE_LIMIT)))), _place: place }
    }
}

impl<S: Connected> Connected for Incoming<S> {
    type ConnectInfo = S::ConnectInfo;

    fn connect_info(&self) -> S::ConnectInfo {
        self.stream.connect_info()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Incoming<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Some((lacking, limit)) = &mut self.preface {
            *lacking = lacking.saturating_sub(buffer.filled().len() - before);
            if *lacking == 0 {
                self.preface = None;
            } else if limit.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Incoming<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_has_its_share_and_gets_it_back() {
        let places = Places::new(3, 2);
        let take = async |address: &str| places.take(places.free().await, address.parse().expect("an address")).await;
        let first = take("2001:db8::1").await.expect("a place");
        let _second = take("2001:db8::2").await.expect("a place");
        assert!(take("2001:db8::3").await.is_none(), "the same network of 64 bits");
        let other = take("2001:db8:0:1::1").await.expect("another machine's place");
        drop((first, other));
        assert!(take("2001:db8::3").await.is_some());
        assert_eq!(machine("::ffff:10.0.0.1".parse().expect("an address")).to_string(), "10.0.0.1");
    }
}
