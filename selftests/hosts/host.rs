// SPDX-License-Identifier: GPL-2.0

//! A Rust program with threads, which links the library: statics, thread-local
//! variables and stacks are roots; what Box and Vec allocate is none.
use std::cell::Cell;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::thread;

#[repr(C)]
struct Options {
    size: usize,
    limit: usize,
    percent: i32,
    flags: u32,
}

extern "C" {
    fn gcheap_open(options: *const Options) -> *mut c_void;
    fn gcheap_alloc(heap: *mut c_void, size: usize) -> *mut c_void;
    fn gcheap_collect(heap: *mut c_void) -> i32;
    fn gcheap_close(heap: *mut c_void);
}

const LINKS: u64 = 200;
const ROUNDS: u32 = 50;

#[repr(C)]
struct Link {
    next: *mut Link,
    number: u64,
}

static HEAP: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
static KEPT: AtomicPtr<Link> = AtomicPtr::new(std::ptr::null_mut());
static STOP: AtomicBool = AtomicBool::new(false);

thread_local! {
    static OWN: Cell<*mut Link> = Cell::new(std::ptr::null_mut());
}

fn heap() -> *mut c_void {
    HEAP.load(Ordering::Relaxed)
}

fn build() -> *mut Link {
    let mut list = std::ptr::null_mut();
    for number in 0..LINKS {
        unsafe {
            let link = gcheap_alloc(heap(), 16 + number as usize) as *mut Link;
            assert!(!link.is_null() && (*link).next.is_null() && (*link).number == 0);
            (*link).next = list;
            (*link).number = number;
            list = link;
        }
    }
    list
}

fn check(mut list: *mut Link) {
    let mut number = LINKS;
    while !list.is_null() {
        number -= 1;
        unsafe {
            assert_eq!(number, (*list).number);
            list = (*list).next;
        }
    }
    assert_eq!(0, number);
}

fn work() {
    let slow = std::env::var_os("HOST_SLOW").is_some();
    for _ in 0..if slow { ROUNDS / 10 } else { ROUNDS } {
        OWN.with(|own| own.set(build()));
        let local = build();
        let strings: Vec<String> = (0..200).map(|i| i.to_string()).collect();
        OWN.with(|own| check(own.get()));
        check(local);
        assert!(strings.iter().enumerate().all(|(i, s)| s.parse() == Ok(i)));
    }
}

fn main() {
    let options = Options { size: 0, limit: 0, percent: -1, flags: 0 };
    HEAP.store(unsafe { gcheap_open(&options) }, Ordering::Relaxed);
    assert!(!heap().is_null());
    KEPT.store(build(), Ordering::Relaxed);
    let collector = thread::spawn(|| {
        while !STOP.load(Ordering::Relaxed) {
            assert_eq!(0, unsafe { gcheap_collect(heap()) });
        }
    });
    let workers: Vec<_> = (0..3).map(|_| thread::spawn(work)).collect();
    for worker in workers {
        worker.join().unwrap();
    }
    STOP.store(true, Ordering::Relaxed);
    collector.join().unwrap();
    check(KEPT.load(Ordering::Relaxed));
    unsafe { gcheap_close(heap()) };
}
