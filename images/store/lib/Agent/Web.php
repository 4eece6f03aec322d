<?php

declare(strict_types=1);

namespace Urumi\Agent;

use Urumi\Store;

/** Asks the web container, over 127.0.0.1, as a shopper would through the ingress. */
final class Web
{
    private const LARGEST = 2 * 1024 * 1024; // bytes of a body that are looked at

    /**
     * The status and body of one page; status 0 if there was no answer in time.
     *
     * @param array<string, string> $form Sent as a POST if there is any.
     * @return array{status: int, body: string, headers: list<string>}
     */
    public static function ask(string $path, float $seconds = 10.0, array $form = []): array
    {
        $front = Store::front();
        $headers = ["Host: {$front['host']}", "X-Forwarded-Proto: {$front['scheme']}", 'Connection: close'];
        $options = [
            'method' => $form ? 'POST' : 'GET',
            'protocol_version' => 1.0, // no chunks, which PHP would collect past the deadline
            'timeout' => $seconds,
            'follow_location' => 0,
            'ignore_errors' => true,
            'user_agent' => 'urumi-agent',
        ];
        if ($form) {
            $headers[] = 'Content-Type: application/x-www-form-urlencoded';
            $options['content'] = http_build_query($form);
        }
        $options['header'] = $headers;
        $deadline = hrtime(true) + (int) ($seconds * 1e9);
        $stream = @fopen('http://127.0.0.1' . $path, 'r', false, stream_context_create(['http' => $options]));
        if ($stream === false) {
            return ['status' => 0, 'body' => '', 'headers' => []];
        }
        $body = self::body($stream, $deadline);
        /** @var list<string> $answer */
        $answer = stream_get_meta_data($stream)['wrapper_data'] ?? [];
        fclose($stream);
        $status = $body !== null && preg_match('#^HTTP/\S+ (\d+)#', $answer[0] ?? '', $found) ? (int) $found[1] : 0;
        return ['status' => $status, 'body' => (string) $body, 'headers' => $answer];
    }

    /**
     * What comes before the deadline, or null if the end does not. The stream's own limit is for one read: a page
     * that sends a byte now and then would hold the agent for ever.
     *
     * @param resource $stream
     */
    private static function body($stream, int $deadline): ?string
    {
        $body = '';
        while (!feof($stream) && strlen($body) < self::LARGEST) {
            $left = intdiv($deadline - hrtime(true), 1000);
            if ($left <= 0) {
                return null;
            }
            stream_set_timeout($stream, 0, $left);
            $body .= fread($stream, 65536);
        }
        return $body;
    }
}
