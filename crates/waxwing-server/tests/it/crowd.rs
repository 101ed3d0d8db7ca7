//! Many clients at once: each gets its own answers.

use serde_json::json;

use crate::harness::{CLIENTS, House};
use crate::wire::{Wire, output};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_given_their_own_answers() {
    let house = House::open().await;
    let clients: Vec<_> = (0..48_u32)
        .map(|n| {
            let caller = house.caller(CLIENTS[n as usize % CLIENTS.len()]);
            let addr = house.addr;
            tokio::spawn(async move {
                let mut wire = Wire::connect(addr).await;
                for round in 0..10_u32 {
                    let args = json!({"numbers": [n, round]});
                    let (_, outcome) = caller.call(&mut wire, "batch_sum", args).await;
                    assert_eq!(output(&outcome), json!({"count": 2, "total": n + round}));
                }
                let text = format!("job of {n}");
                let job = caller.start(&mut wire, "say_later", json!({"text": text})).await;
                assert_eq!(output(&caller.settle(&mut wire, &job).await), text);
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
}

/// Garbage and forgeries on some connections leave the calls on the others alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_forgers_disturbs_nobody() {
    let house = House::open().await;
    let noise: Vec<_> = (0..16)
        .map(|n| {
            let (forger, addr) = (house.caller("agent-7").with_key_of("agent-8"), house.addr);
            tokio::spawn(async move {
                for round in 0..10 {
                    let mut wire = Wire::connect(addr).await;
                    if (n + round) % 2 == 0 {
                        wire.send("\0\0\0 garbage \r\n\r\n").await;
                        assert_eq!(wire.answer().await.unwrap().status, 400);
                    } else {
                        let request = forger.request("batch_sum", json!({"numbers": [1]}));
                        assert_eq!(wire.post(&forger.sign(&request).0).await.status, 401);
                    }
                }
            })
        })
        .collect();
    let mut wire = house.wire().await;
    for _ in 0..50 {
        house.good_on(&mut wire).await;
    }
    for noise in noise {
        noise.await.unwrap();
    }
}
