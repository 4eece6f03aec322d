<?php
/**
 * The part of Action Scheduler that the agent calls: callbacks one second apart, run only by whoever runs the queue.
 * One that was killed stays in progress, and while it does, it keeps all others waiting.
 */

declare(strict_types=1);

final class Urumi_Test_Queue
{
    private const CALLBACKS = 3;
    private const LAST = 'woocommerce_update_db_to_current_version';

    public static function table(): string
    {
        global $wpdb;
        return "{$wpdb->prefix}actionscheduler_actions";
    }

    public static function create_table(): void
    {
        global $wpdb;
        $wpdb->query('CREATE TABLE IF NOT EXISTS ' . self::table() . " (
            action_id BIGINT AUTO_INCREMENT PRIMARY KEY, hook VARCHAR(191), status VARCHAR(20) DEFAULT 'pending',
            due BIGINT, claim_id BIGINT DEFAULT 0)");
    }

    public static function schedule_update(): void
    {
        global $wpdb;
        for ($second = 1; $second <= self::CALLBACKS; $second++) {
            $wpdb->insert(self::table(), ['hook' => 'woocommerce_run_update_callback', 'due' => time() + $second]);
        }
        $wpdb->insert(self::table(), ['hook' => self::LAST, 'due' => time() + $second]);
    }

    public static function run_due(): void
    {
        global $wpdb;
        $claims = (int) $wpdb->get_var('SELECT COUNT(DISTINCT claim_id) FROM ' . self::table() . ' WHERE claim_id > 0');
        if ($claims >= apply_filters('action_scheduler_queue_runner_concurrent_batches', 1)) {
            return;
        }
        $due = $wpdb->get_results(
            $wpdb->prepare('SELECT * FROM ' . self::table() . " WHERE status = 'pending' AND due <= %d ORDER BY due", time()),
        );
        foreach ($due as $action) {
            self::mark($action, 'in-progress', getmypid());
            usleep(300_000); // a kill has to find it at work
            $action->hook === self::LAST
                ? update_option('woocommerce_db_version', WC()->version)
                : update_option('urumi_test_callbacks', 1 + (int) get_option('urumi_test_callbacks'));
            self::mark($action, 'complete', 0);
        }
    }

    private static function mark(object $action, string $status, int $claim): void
    {
        global $wpdb;
        $wpdb->update(self::table(), ['status' => $status, 'claim_id' => $claim], ['action_id' => $action->action_id]);
    }
}

final class ActionScheduler_QueueRunner
{
    public static function instance(): self
    {
        return new self();
    }

    public function run(): void
    {
        Urumi_Test_Queue::run_due();
    }
}

add_action('action_scheduler_run_queue', ['Urumi_Test_Queue', 'run_due']);

function as_next_scheduled_action(string $hook): int|bool
{
    global $wpdb;
    $found = $wpdb->get_row($wpdb->prepare(
        'SELECT * FROM ' . Urumi_Test_Queue::table() . " WHERE hook = %s AND status IN ('pending', 'in-progress') LIMIT 1",
        $hook,
    ));
    return match ($found?->status) {
        null => false,
        'pending' => (int) $found->due,
        default => true,
    };
}
