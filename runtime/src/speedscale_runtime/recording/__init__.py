"""From an exchange that somebody watched to pairs that the forwarder has acknowledged.

Used by the sidecar (`proxy`) and by `nettap`, which see traffic in different ways and record it in the same: `capture`
renders, `outbox` holds within bounds, `spill` keeps what has no room, `sender` brings it to the forwarder, `ledger`
counts each pair to its end. Nothing here knows how traffic is seen. The modules are imported one by one: the sidecar's
supervisor needs `causes` and `ledger` only.
"""
