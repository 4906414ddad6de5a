//! Which nodes of a graph lead to each other: its strongly connected components (Tarjan, 1972),
//! without recursion.

/// Not visited yet.
const NEW: usize = usize::MAX;

/// A node whose edges are being followed.
struct Visit {
    node: usize,
    /// How many of its edges have been followed.
    followed: usize,
}

/// The components of a graph that says of each node to which ones it leads. A component comes after
/// all that it leads to.
pub(super) fn components(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut found = Vec::new();
    let mut order = vec![NEW; edges.len()];
    let mut lowest = vec![NEW; edges.len()];
    let mut is_open = vec![false; edges.len()];
    let mut open: Vec<usize> = Vec::new();
    let mut visits: Vec<Visit> = Vec::new();
    let mut count = 0;
    for root in 0..edges.len() {
        if order[root] != NEW {
            continue;
        }
        visits.push(Visit {
            node: root,
            followed: 0,
        });
        while let Some(Visit { node, followed }) = visits.last_mut() {
            let node = *node;
            if *followed == 0 && order[node] == NEW {
                (order[node], lowest[node]) = (count, count);
                count += 1;
                is_open[node] = true;
                open.push(node);
            }
            if let Some(&next) = edges[node].get(*followed) {
                *followed += 1;
                if order[next] == NEW {
                    visits.push(Visit {
                        node: next,
                        followed: 0,
                    });
                } else if is_open[next] {
                    lowest[node] = lowest[node].min(order[next]);
                }
                continue;
            }
            visits.pop();
            if let Some(parent) = visits.last() {
                lowest[parent.node] = lowest[parent.node].min(lowest[node]);
            }
            if lowest[node] == order[node] {
                let begin = open.iter().rposition(|other| *other == node).unwrap_or(0);
                let component = open.split_off(begin);
                for member in &component {
                    is_open[*member] = false;
                }
                found.push(component);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
        let mut found = components(edges);
        for component in &mut found {
            component.sort_unstable();
        }
        found
    }

    #[test]
    fn components_come_after_what_they_lead_to() {
        assert_eq!(sorted(&[vec![1], vec![2], vec![]]), [[2], [1], [0]]);
        assert_eq!(
            sorted(&[vec![1], vec![2], vec![1, 3], vec![3], vec![0, 4]]),
            [vec![3], vec![1, 2], vec![0], vec![4]]
        );
        assert_eq!(sorted(&[vec![1, 2], vec![0], vec![0]]), [[0, 1, 2]]);
        let long: Vec<Vec<usize>> = (0..100_000).map(|node| vec![(node + 1) % 100_000]).collect();
        assert_eq!(components(&long).len(), 1);
    }
}
