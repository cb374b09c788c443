"""`trade-service bench`: measurements that users can repeat, on their machine or against their services."""
